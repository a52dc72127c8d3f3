// A control plane's link port over real TLS on loopback in front of a scripted api_server, nodes that dial it, and a
// peer that does whatever a hostile one would.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>

#include "messages/type_ids.hpp"
#include "runtime/api_session.hpp"
#include "runtime/link/dialer.hpp"
#include "runtime/link/listener.hpp"
#include "runtime/link/wire.hpp"
#include "runtime/pki.hpp"

namespace troupe::link::testing {

using namespace std::chrono_literals;

/// Polls until it holds; false after a time no healthy run needs.
bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds within = 10s);

/// What the scripted api_server has seen.
struct seen_by_api {
  std::mutex mutex;
  std::vector<api::request> requests;
  std::vector<std::uint64_t> stopped;
  std::atomic<int> unanswered{0}, held{0};

  std::vector<api::request> all() {
    std::lock_guard guard(mutex);
    return requests;
  }
  std::size_t stops() {
    std::lock_guard guard(mutex);
    return stopped.size();
  }
};

/// Something for a test's component to do with its session.
struct order {
  std::function<void(runtime::api_session&)> run;
};
/// To the scripted api_server: one more event of all watches, an object of about that many bytes.
struct publish {
  std::size_t bytes = 0;
};
/// To the scripted api_server: answer what it has held back (/later).
struct answer_held {};
using caller_actor =
    caf::typed_actor<caf::reacts_to<api::response>, caf::reacts_to<api::watch_delivery>, caf::reacts_to<order>>;

/// Certificates, made once for all tests.
struct certificates {
  pki::key_pair authority, other_authority, serving;
  static const certificates& get();
};

/// A node's certificate; changes are made by `adapt`.
pki::key_pair node_certificate(const std::string& node, const std::function<void(pki::subject&)>& adapt = {},
                               bool other_authority = false);

/// A component's certificate by its user, "system:kube-scheduler".
pki::key_pair component_certificate(const std::string& user);

/// The log lines of this process since its start.
std::string log_text();

/// Kubelets by node, as the port tells of them; its loop may still be at work when its actor has ended.
struct known_kubelets {
  std::mutex mutex;
  std::map<std::string, kubelet::kubelet_actor> all;
};

/// A node that dials.
struct dialing_node {
  std::string name = "worker-1";
  std::vector<std::uint16_t> ports;  // of control planes
  std::function<result<credentials>()> proof;
  std::function<std::uint64_t()> stamp;
  runtime::stable_ref<kubelet::kubelet_actor> kubelet;
  bool component = false;
};
/// A certificate as proof.
credentials credentials_of(const pki::key_pair& proof);

/// See the top of this file.
class fixture {
 public:
  /// `not_wanted`: users of components whose links are refused.
  explicit fixture(limits bounds = quick(), std::vector<std::string> not_wanted = {});
  ~fixture();

  /// Short deadlines.
  static limits quick();
  std::uint16_t port() const { return port_->port(); }
  std::uint64_t refused(const std::string& reason) { return port_->refused().of(reason); }
  /// Starts a dialer for the node; its server reference.
  runtime::stable_ref<api::api_server_actor> add_node(const std::string& node, const pki::key_pair& proof,
                                                      runtime::stable_ref<kubelet::kubelet_actor> kubelet = {});
  runtime::stable_ref<api::api_server_actor> add_node(const std::string& node = "worker-1") {
    return add_node(node, node_certificate(node));
  }
  runtime::stable_ref<api::api_server_actor> add_node(dialing_node how);
  /// The same for a component that is in a process of its own, by its user.
  runtime::stable_ref<api::api_server_actor> add_component(const std::string& user);
  /// A component with a session over that reference, of an administrator unless told otherwise: what a node must not
  /// get through.
  caller_actor add_caller(const runtime::stable_ref<api::api_server_actor>& server,
                          api::user_ptr user = runtime::component_user("kubernetes-admin", {"system:masters"}));
  void tell(const caller_actor& to, std::function<void(runtime::api_session&)> run);
  void publish_event(std::size_t bytes);
  void answer_what_is_held();
  /// New connections are shown that certificate.
  void show(const pki::key_pair& serving);
  /// Crashes the component of that path ("root/link").
  void crash(const std::string& path);
  /// The kubelet of a node as the control plane reaches it.
  std::optional<kubelet::kubelet_actor> kubelet_of(const std::string& node);
  caf::actor_system& system() { return *system_; }

  std::shared_ptr<seen_by_api> seen = std::make_shared<seen_by_api>();

 private:
  runtime::real_services services_;
  runtime::system_config config_{services_, 2};
  std::unique_ptr<caf::actor_system> system_;
  std::shared_ptr<link_port> port_;
  runtime::local_supervisor root_;
  std::vector<runtime::local_supervisor> nodes_;
  std::vector<caf::actor> kept_;
  caf::actor api_;
  std::shared_ptr<known_kubelets> kubelets_ = std::make_shared<known_kubelets>();
};

/// A blocking TLS client of the test's own, that keeps to no rule.
class raw_peer {
 public:
  explicit raw_peer(std::uint16_t port);
  ~raw_peer();
  raw_peer(const raw_peer&) = delete;
  raw_peer& operator=(const raw_peer&) = delete;

  void write_plain(std::string_view bytes);
  /// Whether its own half of the handshake went through.
  bool handshake(const pki::key_pair* proof, int version = 0);
  /// The serial number of the certificate that the other end has shown, in hexadecimal.
  std::string shown() const;
  void write(std::string_view bytes);
  void greet();
  /// Handshake and greeting as worker-1; whether the handshake went through.
  bool enter();
  /// The same with that certificate.
  bool enter(const pki::key_pair& proof);
  /// A request.
  void ask(std::uint64_t id, const std::string& target);
  /// The next frame that is no ping, or nothing when the connection ended or nothing came in time.
  std::optional<frame> read(std::chrono::milliseconds within = 5s);
  /// Whether the other end closes the connection in time.
  bool closed_within(std::chrono::milliseconds time);

 private:
  int socket_;
  SSL_CTX* context_ = nullptr;
  SSL* tls_ = nullptr;
  frame_reader reader_{side::node, 64 << 20};
};

}  // namespace troupe::link::testing

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::testing::order)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::testing::publish)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::testing::answer_held)
