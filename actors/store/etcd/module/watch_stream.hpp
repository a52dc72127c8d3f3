// The one watch over all keys: a stream to one member.
#pragma once

#include <atomic>
#include <functional>

#include "actors/store/etcd/module/members.hpp"
#include "actors/store/etcd/module/translate.hpp"

namespace troupe::store::etcd {

/// Shared by the client, which may drop it, and by gRPC, until its end.
class watch_stream final : public grpc::ClientBidiReactor<pb::WatchRequest, pb::WatchResponse> {
 public:
  /// Opens a stream; events go to `sink` until drop().
  static std::shared_ptr<watch_stream> open(members& at, const open_watch& what, std::function<void(event)> sink);
  /// Nothing more is heard of it.
  void drop();

 private:
  watch_stream(members& at, const open_watch& what, std::function<void(event)> sink)
      : members_(at), serial_(what.serial), sink_(std::move(sink)) {}
  void begin(const open_watch& what, std::shared_ptr<watch_stream> self);
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;
  void tell(event e);

  members& members_;
  std::uint64_t serial_;
  std::function<void(event)> sink_;
  std::atomic<bool> silent_{false};
  grpc::ClientContext context_;
  pb::WatchRequest request_;
  pb::WatchResponse response_;
  std::shared_ptr<watch_stream> self_;  // gRPC's share
};

}  // namespace troupe::store::etcd
