// The client: each order becomes one call.
#include "actors/store/etcd/client.hpp"

#include "actors/store/etcd/module/members.hpp"
#include "actors/store/etcd/module/translate.hpp"
#include "actors/store/etcd/module/watch_stream.hpp"

namespace troupe::store::etcd {
namespace {

#define KV(name) "/etcdserverpb.KV/" name
#define LEASE(name) "/etcdserverpb.Lease/" name

constexpr const char* lease_not_found = "etcdserver: requested lease not found";

std::uint64_t revision_of(const pb::ResponseHeader& header) { return static_cast<std::uint64_t>(header.revision()); }

/// Renews a lease once: etcd has only a stream for that.
class renewal final : public grpc::ClientBidiReactor<pb::LeaseKeepAliveRequest, pb::LeaseKeepAliveResponse> {
 public:
  using done_function = std::function<void(const grpc::Status&, const pb::LeaseKeepAliveResponse&)>;

  static void start(members& at, const call& about, std::int64_t lease_id, done_function done) {
    auto* one = new renewal(at, std::move(done));
    one->context_.set_deadline(members::deadline_after(about.timeout_ms));
    one->context_.AddMetadata("hasleader", "true");
    one->request_.set_id(lease_id);
    if (!at.enter(one->context_)) {
      delete one;
      return;
    }
    grpc::TemplatedGenericStub<pb::LeaseKeepAliveRequest, pb::LeaseKeepAliveResponse> stub(at.channel(about.endpoint));
    stub.PrepareBidiStreamingCall(&one->context_, LEASE("LeaseKeepAlive"), grpc::StubOptions(), one);
    one->StartWriteLast(&one->request_, grpc::WriteOptions());
    one->StartRead(&one->response_);
    one->StartCall();
  }

 private:
  renewal(members& at, done_function done) : members_(at), done_(std::move(done)) {}
  void OnReadDone(bool ok) override { came_ = ok; }
  void OnDone(const grpc::Status& status) override {
    done_(came_ ? grpc::Status::OK : status, response_);
    members_.leave(context_);
    delete this;
  }

  members& members_;
  done_function done_;
  grpc::ClientContext context_;
  pb::LeaseKeepAliveRequest request_;
  pb::LeaseKeepAliveResponse response_;
  bool came_ = false;
};

class grpc_client final : public client {
 public:
  grpc_client(const connection_options& how, std::function<void(event)> sink) : sink_(std::move(sink)), members_(how) {}
  ~grpc_client() override {
    if (stream_) stream_->drop();
    members_.close();
  }

  void start(call what) override {
    std::visit([&](const auto& one) { ask(what, one); }, what.what);
  }
  void watch(open_watch what) override {
    if (stream_) stream_->drop();
    stream_ = watch_stream::open(members_, what, sink_);
  }

 private:
  /// A call whose answer `convert` makes of the response.
  template <class Response, class Request, class Convert>
  void invoke(const call& about, const char* method, Request request, Convert convert) {
    members_.invoke<Response>(about, method, std::move(request),
                              [this, id = about.id, convert](const grpc::Status& status, Response& response) {
                                answered out = outcome(id, status);
                                if (status.ok()) convert(response, out);
                                sink_(std::move(out));
                              });
  }
  static answered outcome(std::uint64_t id, const grpc::Status& status) {
    answered out;
    out.id = id;
    out.what = fault_of(status);
    out.message = status.error_message();
    return out;
  }

  void ask(const call& about, const txn& from) {
    pb::TxnRequest request;
    write(from, request);
    invoke<pb::TxnResponse>(about, KV("Txn"), std::move(request), [](auto& r, answered& out) { out.reply = read(r); });
  }
  void ask(const call& about, const range& from) {
    pb::RangeRequest request;
    write(from, request);
    invoke<pb::RangeResponse>(about, KV("Range"), std::move(request),
                              [](auto& r, answered& out) { out.reply = read(r); });
  }
  void ask(const call& about, const newest_revision&) {
    pb::RangeRequest request;
    request.set_key("compact_rev_key");
    request.set_count_only(true);
    invoke<pb::RangeResponse>(about, KV("Range"), std::move(request), [](auto& r, answered& out) {
      std::get<ack>(out.reply).revision = revision_of(r.header());
    });
  }
  void ask(const call& about, const compact& from) {
    pb::CompactionRequest request;
    request.set_revision(static_cast<std::int64_t>(from.revision));
    invoke<pb::CompactionResponse>(about, KV("Compact"), request, [](auto& r, answered& out) {
      std::get<ack>(out.reply).revision = revision_of(r.header());
    });
  }
  void ask(const call& about, const lease& from) {
    switch (from.action) {
      case lease_action::grant:
        return grant(about, from);
      case lease_action::keep_alive:
        return keep_alive(about, from);
      case lease_action::revoke:
        return revoke(about, from);
      case lease_action::time_to_live:
        return tell_time(about, from);
    }
  }

  static ack ack_of(const pb::ResponseHeader& header, std::int64_t lease_id, std::int64_t ttl) {
    ack out;
    out.revision = revision_of(header);
    out.lease_id = lease_id;
    out.ttl_seconds = ttl;
    return out;
  }
  void grant(const call& about, const lease& from) {
    pb::LeaseGrantRequest request;
    request.set_id(from.lease_id);
    request.set_ttl(from.ttl_seconds);
    invoke<pb::LeaseGrantResponse>(about, LEASE("LeaseGrant"), request,
                                   [](auto& r, answered& out) { out.reply = ack_of(r.header(), r.id(), r.ttl()); });
  }
  /// etcd keeps the granted time, whatever is asked for.
  void keep_alive(const call& about, const lease& from) {
    renewal::start(members_, about, from.lease_id,
                   [this, id = about.id](const grpc::Status& status, const pb::LeaseKeepAliveResponse& r) {
                     answered out = outcome(id, status);
                     if (status.ok() && r.ttl() <= 0) {
                       out.what = fault::refused;
                       out.message = lease_not_found;
                     }
                     out.reply = ack_of(r.header(), r.id(), r.ttl());
                     sink_(std::move(out));
                   });
  }
  void revoke(const call& about, const lease& from) {
    pb::LeaseRevokeRequest request;
    request.set_id(from.lease_id);
    invoke<pb::LeaseRevokeResponse>(about, LEASE("LeaseRevoke"), request, [id = from.lease_id](auto& r, answered& out) {
      out.reply = ack_of(r.header(), id, 0);
    });
  }
  void tell_time(const call& about, const lease& from) {
    pb::LeaseTimeToLiveRequest request;
    request.set_id(from.lease_id);
    invoke<pb::LeaseTimeToLiveResponse>(about, LEASE("LeaseTimeToLive"), request, [](auto& r, answered& out) {
      out.reply = ack_of(r.header(), r.id(), r.grantedttl());
      if (r.ttl() > 0) return;
      out.what = fault::refused;
      out.message = lease_not_found;
    });
  }

  std::function<void(event)> sink_;
  members members_;
  std::shared_ptr<watch_stream> stream_;
};

}  // namespace
}  // namespace troupe::store::etcd

extern "C" __attribute__((visibility("default"))) troupe::store::etcd::client* troupe_etcd_open(
    const troupe::store::etcd::connection_options& how, std::function<void(troupe::store::etcd::event)> sink) {
  return new troupe::store::etcd::grpc_client(how, std::move(sink));
}
