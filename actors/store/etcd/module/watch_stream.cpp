// See watch_stream.hpp.
#include "actors/store/etcd/module/watch_stream.hpp"

#include <utility>

namespace troupe::store::etcd {

std::shared_ptr<watch_stream> watch_stream::open(members& at, const open_watch& what, std::function<void(event)> sink) {
  std::shared_ptr<watch_stream> made(new watch_stream(at, what, std::move(sink)));
  made->begin(what, made);
  return made;
}

void watch_stream::begin(const open_watch& what, std::shared_ptr<watch_stream> self) {
  if (!members_.enter(context_)) return;
  self_ = std::move(self);
  // A member that has lost the majority ends the watch instead of keeping it silently (clientv3.WithRequireLeader).
  context_.AddMetadata("hasleader", "true");
  auto& create = *request_.mutable_create_request();
  create.set_key(std::string(1, '\0'));  // with this end: all keys
  create.set_range_end(std::string(1, '\0'));
  create.set_start_revision(static_cast<std::int64_t>(what.start_revision));
  create.set_prev_kv(true);
  grpc::TemplatedGenericStub<pb::WatchRequest, pb::WatchResponse> stub(members_.channel(what.endpoint));
  stub.PrepareBidiStreamingCall(&context_, "/etcdserverpb.Watch/Watch", grpc::StubOptions(), this);
  StartWrite(&request_);
  StartRead(&response_);
  StartCall();
}

void watch_stream::drop() {
  silent_ = true;
  context_.TryCancel();
}

void watch_stream::tell(event e) {
  if (!silent_) sink_(std::move(e));
}

void watch_stream::OnReadDone(bool ok) {
  if (!ok) return;
  if (response_.created() && !response_.canceled()) tell(watch_opened{serial_});
  if (response_.canceled()) {
    const auto compacted = static_cast<std::uint64_t>(response_.compact_revision());
    tell(watch_ended{serial_, compacted, response_.cancel_reason()});
    return drop();
  }
  if (response_.events_size() > 0) tell(events_came{serial_, read(response_)});
  response_.Clear();
  StartRead(&response_);
}

void watch_stream::OnDone(const grpc::Status& status) {
  tell(watch_ended{serial_, 0, status.error_message()});
  const auto last = std::move(self_);  // may be the last share: the object ends with this function
  members_.leave(context_);
}

}  // namespace troupe::store::etcd
