// See connection.hpp.
#include "actors/container_runtime/cri/module/connection.hpp"

#include <algorithm>

#include <pthread.h>
#include <signal.h>

namespace troupe::cri {
namespace {

// Lists of a full node are large; reconnecting must follow a restarted runtime closely.
constexpr int largest_message = 16 << 20;
constexpr int reconnect_ms = 200;
// A sandbox takes a second on a busy machine; a supervisor waits five for whoever closes the connection.
constexpr std::chrono::seconds patience_at_close{4};

std::shared_ptr<grpc::Channel> open_channel(const std::string& socket) {
  grpc::ChannelArguments how;
  how.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");  // Go's server refuses the path as an authority
  how.SetMaxReceiveMessageSize(largest_message);
  how.SetMaxSendMessageSize(largest_message);
  how.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, reconnect_ms);
  how.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, reconnect_ms);
  how.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, reconnect_ms);
  // A connection of its own: gRPC shares them between equal channels, with the other's back-off.
  how.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel("unix://" + socket, grpc::InsecureChannelCredentials(), how);
}

container::fault fault_of(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::OK:
      return container::fault::none;
    case grpc::INVALID_ARGUMENT:
      return container::fault::invalid_argument;
    case grpc::NOT_FOUND:
      return container::fault::not_found;
    case grpc::ALREADY_EXISTS:
      return container::fault::already_exists;
    case grpc::PERMISSION_DENIED:
      return container::fault::permission_denied;
    case grpc::RESOURCE_EXHAUSTED:
      return container::fault::resource_exhausted;
    case grpc::DEADLINE_EXCEEDED:
      return container::fault::deadline_exceeded;
    case grpc::UNAVAILABLE:
    case grpc::CANCELLED:
      return container::fault::unavailable;
    case grpc::UNIMPLEMENTED:
      return container::fault::unimplemented;
    default:
      // containerd 1.6 has no code for a name that is taken.
      return status.error_message().find("is reserved for") != std::string::npos ? container::fault::already_exists
                                                                                 : container::fault::unknown;
  }
}

}  // namespace

container::failure failure_of(const grpc::Status& status) { return {fault_of(status), status.error_message()}; }

connection::connection(const std::string& socket) : channel_(open_channel(socket)) {
  // Signals are the main thread's; gRPC's own threads inherit the mask from here.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

connection::~connection() { close(); }

void connection::close() {
  {
    std::unique_lock guard(mutex_);
    if (closed_) return;
    closed_ = true;
    ended_.wait_for(guard, patience_at_close, [this] { return !making(); });
    for (auto* one : open_) one->context.TryCancel();
    queue_.Shutdown();
  }
  thread_.join();
}

bool connection::making() const {
  return std::any_of(open_.begin(), open_.end(), [](const pending_call* one) { return one->makes; });
}

void connection::run() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
    std::unique_ptr<pending_call> done(static_cast<pending_call*>(tag));
    {
      std::lock_guard guard(mutex_);
      open_.erase(done.get());
      ended_.notify_all();
    }
    done->finish();
  }
}

}  // namespace troupe::cri
