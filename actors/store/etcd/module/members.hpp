// Channels to the members, and the calls under way on them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include "actors/store/etcd/client.hpp"

namespace troupe::store::etcd {

/// What a gRPC status says about a call: whether it was carried out, and etcd's words.
fault fault_of(const grpc::Status& status);

/// See the top of this file. Calls end in threads of gRPC's.
class members {
 public:
  explicit members(const connection_options& how);
  ~members() { close(); }
  members(const members&) = delete;
  members& operator=(const members&) = delete;

  const std::shared_ptr<grpc::Channel>& channel(std::uint32_t endpoint) const {
    return channels_[endpoint % channels_.size()];
  }
  /// A call has begun; false when everything has been closed.
  bool enter(grpc::ClientContext& context);
  void leave(grpc::ClientContext& context);
  /// Cancels all calls and waits until each has left.
  void close();

  /// Starts a unary call. `done` gets the status and the response.
  template <class Response, class Request>
  void invoke(const call& about, const char* method, Request request,
              std::function<void(const grpc::Status&, Response&)> done) {
    auto one = std::make_shared<unary<Request, Response>>();
    one->request = std::move(request);
    one->context.set_deadline(deadline_after(about.timeout_ms));
    if (!enter(one->context)) return;
    grpc::TemplatedGenericStub<Request, Response> stub(channel(about.endpoint));
    stub.UnaryCall(&one->context, method, grpc::StubOptions(), &one->request, &one->response,
                   [this, one, done = std::move(done)](const grpc::Status& status) {
                     done(status, one->response);
                     leave(one->context);
                   });
  }

  static gpr_timespec deadline_after(std::uint64_t ms) {
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_millis(static_cast<std::int64_t>(ms), GPR_TIMESPAN));
  }

 private:
  template <class Request, class Response>
  struct unary {
    grpc::ClientContext context;
    Request request;
    Response response;
  };

  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::recursive_mutex mutex_;  // a call that is cancelled may end within TryCancel
  std::condition_variable_any changed_;
  std::set<grpc::ClientContext*> open_;
  bool closed_ = false;
};

}  // namespace troupe::store::etcd
