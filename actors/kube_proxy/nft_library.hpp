// libnftables, loaded when it is first wanted.
#pragma once

#include <memory>
#include <string>

namespace troupe::kube_proxy {

/// One context of libnftables; belongs to one thread.
class nft_context {
 public:
  /// Null when the library is missing; `error` says why.
  static std::unique_ptr<nft_context> open(std::string& error);
  virtual ~nft_context() = default;
  /// Runs commands as one transaction. Returns the error in nft's words, empty when all is done.
  virtual std::string run(const std::string& commands) = 0;
};

}  // namespace troupe::kube_proxy
