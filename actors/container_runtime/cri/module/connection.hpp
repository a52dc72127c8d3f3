// One gRPC channel with its completion queue and thread: unary calls with callbacks.
#pragma once

#include "actors/container_runtime/cri/module/translate.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include <grpc/support/time.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

namespace troupe::cri {

/// A call under way.
struct pending_call {
  virtual ~pending_call() = default;
  virtual void finish() = 0;
  bool makes = false;
  grpc::ClientContext context;
  grpc::Status status;
};

/// What gRPC says as a failure of ours.
container::failure failure_of(const grpc::Status& status);

class connection {
 public:
  explicit connection(const std::string& socket);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// Lets calls that make something end by themselves for a while, then cancels every call and waits until each has
  /// said so. What is half made when its call is cancelled is in no list of the runtime's, and who stops the runtime
  /// next leaves it behind: a network with its host ports, a process.
  void close();

  /// Starts a call; `then` comes from the queue's thread, or at once when the connection is closed. limit 0: none.
  /// `makes`: it makes something (see close()).
  template <class Response, class Request>
  void call(const char* method, const Request& request, std::chrono::seconds limit,
            std::function<void(container::failure, const Response&)> then, bool makes = false) {
    std::unique_lock guard(mutex_);
    if (closed_) {
      guard.unlock();
      then({container::fault::unavailable, "the connection to the container runtime is closed"}, Response());
      return;
    }
    auto one = std::make_unique<unary<Response>>();
    one->then = std::move(then);
    one->makes = makes;
    if (limit.count() > 0)
      one->context.set_deadline(
          gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(limit.count(), GPR_TIMESPAN)));
    grpc::TemplatedGenericStub<Request, Response> stub(channel_);
    one->reader = stub.PrepareUnaryCall(&one->context, method, request, &queue_);
    one->reader->StartCall();
    one->reader->Finish(&one->response, &one->status, static_cast<pending_call*>(one.get()));
    open_.insert(one.release());
  }

 private:
  template <class Response>
  struct unary final : pending_call {
    void finish() override { then(failure_of(status), response); }
    Response response;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;
    std::function<void(container::failure, const Response&)> then;
  };
  void run();
  bool making() const;

  std::shared_ptr<grpc::Channel> channel_;
  grpc::CompletionQueue queue_;
  std::mutex mutex_;
  std::condition_variable ended_;  // a call
  bool closed_ = false;
  std::set<pending_call*> open_;
  std::thread thread_;
};

}  // namespace troupe::cri
