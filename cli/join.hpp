// How a machine gets its certificates by a token: `troupe node --join`.
#pragma once

#include <string>
#include <vector>

#include "messages/status.hpp"
#include "runtime/config.hpp"

namespace troupe::cli {

/// What `troupe token create` prints.
struct join_settings {
  std::string server;          // ADDRESS:PORT of the API; empty: no join
  std::string token;           // ID.SECRET
  std::string authority_hash;  // "sha256:HEX"
  int patience_s = 60;         // for the approval of the request; up to an hour
};

/// The link of a control plane whose API is at that ADDRESS:PORT, at its usual port.
std::string link_of(const std::string& server);

/// Makes a key for each node that has no good certificate, asks the API to sign it and waits for that. Writes ca.crt,
/// NAME.key and NAME.crt to the folder that the configuration names. The authority is read without trust and must have
/// the hash.
status join_cluster(const join_settings& how, const runtime::configuration& config,
                    const std::vector<std::string>& names);

}  // namespace troupe::cli
