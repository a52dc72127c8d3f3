// Batches into the kernel: nftables by libnftables, connection tracking by libnetfilter_conntrack, in a thread of its
// own, because a large batch takes the kernel half a second. Both libraries are loaded when the first driver is made:
// linked, they would cost every start a millisecond and one MiB, also where there is no proxy.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "actors/kube_proxy/edge.hpp"
#include "actors/kube_proxy/script.hpp"

namespace troupe::kube_proxy {

/// See the top of this file.
class nft_driver final : public table_edge {
 public:
  explicit nft_driver(script_options options);
  ~nft_driver() override;
  nft_driver(const nft_driver&) = delete;
  nft_driver& operator=(const nft_driver&) = delete;

  void apply(std::shared_ptr<const batch> what, std::function<void(std::string error)> done) override;
  void stop(bool remove) override;

 private:
  struct order {
    std::shared_ptr<const batch> what;
    std::function<void(std::string error)> done;
  };
  void run();

  script_options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<order> next_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace troupe::kube_proxy
