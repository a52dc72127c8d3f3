// See members.hpp.
#include "actors/store/etcd/module/members.hpp"

#include <signal.h>

namespace troupe::store::etcd {
namespace {

constexpr int connect_ms = 1'000;  // also the shortest pause between attempts, see GRPC_ARG_MIN_RECONNECT_BACKOFF_MS
// etcd refuses pings that come more often than every 5 s (--grpc-keepalive-min-time).
constexpr int ping_every_ms = 10'000;
constexpr int ping_limit_ms = 5'000;

std::shared_ptr<grpc::Channel> open_channel(const std::string& url, const connection_options& how) {
  grpc::ChannelArguments with;
  with.SetMaxReceiveMessageSize(-1);  // a page of a thousand objects may be large
  with.SetMaxSendMessageSize(-1);
  with.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, connect_ms);
  with.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, connect_ms);
  with.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, connect_ms);
  with.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, ping_every_ms);
  with.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, ping_limit_ms);
  with.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const bool secure = url.starts_with("https://");
  const auto target = url.substr(url.find("://") + 3);
  if (!secure) return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), with);
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = how.ca_pem;
  tls.pem_cert_chain = how.certificate_pem;
  tls.pem_private_key = how.key_pem;
  return grpc::CreateCustomChannel(target, grpc::SslCredentials(tls), with);
}

/// The call never left: gRPC has no code of its own for it.
bool never_sent(const std::string& message) {
  return message.find("failed to connect to all addresses") != std::string::npos ||
         message.find("connections to all backends failing") != std::string::npos ||
         message.find("DNS resolution failed") != std::string::npos || message == "etcdserver: no leader";
}

}  // namespace

fault fault_of(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::OK:
      return fault::none;
    case grpc::UNAVAILABLE:
      return never_sent(status.error_message()) ? fault::unsent : fault::unclear;
    case grpc::DEADLINE_EXCEEDED:
    case grpc::CANCELLED:
    case grpc::UNKNOWN:
    case grpc::INTERNAL:
    case grpc::ABORTED:
      return fault::unclear;
    default:
      return fault::refused;
  }
}

members::members(const connection_options& how) {
  // Signals are the main thread's; gRPC's own threads inherit the mask from here.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (const auto& url : how.endpoints) channels_.push_back(open_channel(url, how));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

bool members::enter(grpc::ClientContext& context) {
  std::lock_guard guard(mutex_);
  if (!closed_) open_.insert(&context);
  return !closed_;
}

void members::leave(grpc::ClientContext& context) {
  std::lock_guard guard(mutex_);
  open_.erase(&context);
  changed_.notify_all();
}

void members::close() {
  std::unique_lock guard(mutex_);
  closed_ = true;
  const std::vector<grpc::ClientContext*> all(open_.begin(), open_.end());
  for (auto* one : all)
    if (open_.count(one) > 0) one->TryCancel();
  changed_.wait(guard, [this] { return open_.empty(); });
}

}  // namespace troupe::store::etcd
