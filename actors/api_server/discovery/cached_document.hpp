// Documents that are the same for every client: built on first use, then shared.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "messages/bytes.hpp"

namespace troupe::api {

struct cached_document {
  std::string hash;  // of the content, hexadecimal
  std::string etag;  // the hash in double quotes
  shared_bytes body;
};

/// The document of the key, made by `make` when asked for the first time. Any thread may ask; `make` must not ask for
/// another document.
cached_document document_once(std::string key, const std::function<std::string()>& make);

/// 32 hexadecimal digits that change with the content.
std::string content_hash(std::string_view text);

}  // namespace troupe::api
