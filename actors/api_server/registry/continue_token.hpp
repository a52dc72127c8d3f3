// The continue token of chunked lists: base64url of {"v":"meta.k8s.io/v1","rv":REVISION,"start":"KEY"}.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "messages/status.hpp"

namespace troupe::api {

/// Where the next chunk begins. `start` is the key below the list's prefix; the chunk begins at it.
struct continue_point {
  std::int64_t revision = 0;  // -1: at the newest revision (an inconsistent continuation)
  std::string start;
};

std::string encode_continue(const continue_point& point);
/// 400 for a token that is none, in Kubernetes' words.
result<continue_point> decode_continue(std::string_view token);

/// Unpadded base64 in the URL alphabet; padded input is accepted.
std::string base64url(std::string_view bytes);
bool from_base64url(std::string_view text, std::string& out);

}  // namespace troupe::api
