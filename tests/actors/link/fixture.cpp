// See fixture.hpp.
#include "tests/actors/link/fixture.hpp"

#include <csignal>
#include <ctime>
#include <sstream>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "messages/schema/schema.hpp"

namespace troupe::link::testing {
namespace {

object_ptr config_map(std::uint64_t revision, std::size_t bytes) {
  auto json =
      R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m","namespace":"default","uid":"u"},"data":{"k":")" +
      std::string(bytes, 'x') + R"("}})";
  return *make_object(schema::find_resource("", "v1", "configmaps"), json, revision, revision);
}

using scripted_actor = api::api_server_actor::extend<caf::reacts_to<publish>, caf::reacts_to<answer_held>>;

/// Answers by target: /never not at all; /later when it is told to; ?watch= and what only means it open a watch;
/// /object an object; anything else
/// {}.
class scripted_api final : public runtime::component<scripted_actor> {
 public:
  scripted_api(caf::actor_config& settings, std::shared_ptr<seen_by_api> seen)
      : component(settings, "api"), seen_(std::move(seen)) {}

  behavior_type make_behavior() override {
    return {[this](const api::request& m) { on_request(m); },
            [this](const api::watch_stop& m) {
              watchers_.erase(m.watch_id);
              std::lock_guard guard(seen_->mutex);
              seen_->stopped.push_back(m.watch_id);
            },
            [this](const publish& m) { on_publish(m); },
            [this](const answer_held&) {
              for (auto& [by, answer] : std::exchange(held_, {})) send_to(by, std::move(answer));
            }};
  }

 private:
  void on_request(const api::request& m) {
    {
      std::lock_guard guard(seen_->mutex);
      seen_->requests.push_back(m);
    }
    if (m.target == "/never") {
      ++seen_->unanswered;
      return;
    }
    api::response answer;
    answer.id = m.id;
    if (m.target == "/later") {
      held_.emplace_back(current_sender(), std::move(answer));
      ++seen_->held;
      return;
    }
    if (m.target.find("watch=") != std::string::npos || m.target.find("%77atch=") != std::string::npos) {
      answer.watch_id = ++next_watch_;
      watchers_[answer.watch_id] = current_sender();
      // As a cacher may be faster than the worker that accepts the watch.
      deliver(answer.watch_id, config_map(++revision_, 10));
    } else if (m.target == "/object") {
      answer.object = config_map(++revision_, 10);
      answer.body.emplace_back(answer.object->json);
    } else {
      answer.body.emplace_back(shared_bytes(std::string("{}")));
    }
    send_to(current_sender(), std::move(answer));
  }

  void deliver(std::uint64_t id, object_ptr what) {
    api::watch_delivery out;
    auto& batch = out.batches.emplace_back();
    batch.watch_id = id;
    auto revision = what->revision;
    batch.events = std::make_shared<const std::vector<api::watch_event>>(
        std::vector<api::watch_event>{{api::event_type::added, std::move(what), revision, false}});
    send_to(watchers_.at(id), std::move(out));
  }

  void on_publish(const publish& m) {
    auto made = config_map(++revision_, m.bytes);
    for (const auto& [id, who] : watchers_) deliver(id, made);
  }

  std::shared_ptr<seen_by_api> seen_;
  std::uint64_t next_watch_ = 0;
  std::uint64_t revision_ = 0;
  std::map<std::uint64_t, caf::strong_actor_ptr> watchers_;
  std::vector<std::pair<caf::strong_actor_ptr, api::response>> held_;
};

class caller final : public runtime::component<caller_actor> {
 public:
  caller(caf::actor_config& settings, const runtime::stable_ref<api::api_server_actor>& server, api::user_ptr user)
      : component(settings, "caller"), session_(*this, server, options(std::move(user))) {}
  behavior_type make_behavior() override {
    return {[this](const api::response& m) { session_.handle(m); },
            [this](const api::watch_delivery& m) { session_.handle(m); }, [this](const order& m) { m.run(session_); }};
  }

 private:
  static runtime::session_options options(api::user_ptr user) {
    runtime::session_options out;
    out.user = std::move(user);
    return out;
  }
  runtime::api_session session_;
};

std::ostringstream& log_stream() {
  static std::ostringstream stream;
  static const bool set = [] {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(stream, true);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
    return true;
  }();
  (void)set;
  return stream;
}

pki::key_pair must(result<pki::key_pair> made) {
  if (!made) throw std::runtime_error(made.error().message);
  return *made;
}

}  // namespace

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds within) {
  auto end = std::chrono::steady_clock::now() + within;
  while (std::chrono::steady_clock::now() < end) {
    if (holds()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return holds();
}

const certificates& certificates::get() {
  static const certificates made = [] {
    certificates out;
    auto now = static_cast<std::int64_t>(std::time(nullptr));
    out.authority = must(pki::make_authority("kubernetes", now));
    out.other_authority = must(pki::make_authority("kubernetes", now));
    pki::subject serving;
    serving.common_name = "kube-apiserver";
    serving.names = {"127.0.0.1", "localhost"};
    serving.server = true;
    serving.not_before = now;
    out.serving = must(pki::issue(out.authority, serving));
    return out;
  }();
  return made;
}

pki::key_pair node_certificate(const std::string& node, const std::function<void(pki::subject&)>& adapt,
                               bool other_authority) {
  const auto& all = certificates::get();
  pki::subject who;
  who.common_name = "system:node:" + node;
  who.organizations = {"system:nodes"};
  who.client = true;
  who.not_before = static_cast<std::int64_t>(std::time(nullptr));
  if (adapt) adapt(who);
  return must(pki::issue(other_authority ? all.other_authority : all.authority, who));
}

pki::key_pair component_certificate(const std::string& user) {
  return node_certificate("", [&](pki::subject& who) {
    who.common_name = user;
    who.organizations = {};
  });
}

std::string log_text() {
  spdlog::default_logger()->flush();
  return log_stream().str();
}

limits fixture::quick() {
  limits out;
  out.handshake = 1000ms;
  out.keepalive = 300ms;
  out.silence = 1500ms;
  out.backoff_base = 20ms;
  out.backoff_cap = 200ms;
  out.renewal_look = 20ms;
  return out;
}

fixture::fixture(limits bounds, std::vector<std::string> not_wanted) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to peers that have gone
  log_stream();
  config_.allow_crash = true;
  system_ = std::make_unique<caf::actor_system>(config_);
  const auto& all = certificates::get();
  auto opened = link_port::open("127.0.0.1", 0,
                                {all.serving.certificate, all.serving.private_key, all.authority.certificate}, bounds);
  if (!opened) throw std::runtime_error(opened.error().message);
  port_ = *opened;
  auto server = runtime::stable_ref<api::api_server_actor>::make(*system_, "root/api");
  listener_options how;
  how.port = port_;
  how.server = server;
  how.accounts = {"deployment-controller", "replicaset-controller"};
  how.not_wanted = std::move(not_wanted);
  how.node_up = [known = kubelets_](const std::string& node, const kubelet::kubelet_actor& kubelet) {
    std::lock_guard guard(known->mutex);
    known->all[node] = kubelet;
  };
  how.node_down = [known = kubelets_](const std::string& node) {
    std::lock_guard guard(known->mutex);
    known->all.erase(node);
  };
  std::vector<runtime::child_spec> children;
  children.push_back(runtime::child<api::api_server_actor>(
      "api",
      [this](caf::actor_system& in) {
        auto made = in.spawn<scripted_api>(seen);
        api_ = caf::actor_cast<caf::actor>(made);
        return caf::actor_cast<api::api_server_actor>(made);
      },
      server));
  children.push_back(listener_child(std::move(how)));
  root_ = runtime::spawn_supervisor(*system_, "root", std::move(children));
}

fixture::~fixture() {
  for (auto& one : kept_) caf::anon_send_exit(one, caf::exit_reason::user_shutdown);
  kept_.clear();
  for (auto& one : nodes_) runtime::stop_supervisor(*system_, one);
  nodes_.clear();
  runtime::stop_supervisor(*system_, root_);
  config_.threads().join();  // loops work a little longer than their actors, and need the system
  root_ = nullptr;
  api_ = nullptr;
  std::lock_guard guard(kubelets_->mutex);
  kubelets_->all.clear();
}

runtime::stable_ref<api::api_server_actor> fixture::add_node(const std::string& node, const pki::key_pair& proof,
                                                             runtime::stable_ref<kubelet::kubelet_actor> kubelet) {
  return add_node({node, {port()}, [with = credentials_of(proof)] { return with; }, {}, std::move(kubelet)});
}

runtime::stable_ref<api::api_server_actor> fixture::add_component(const std::string& user) {
  return add_node(
      {user, {port()}, [with = credentials_of(component_certificate(user))] { return with; }, {}, {}, true});
}

runtime::stable_ref<api::api_server_actor> fixture::add_node(dialing_node node) {
  auto server = runtime::stable_ref<api::api_server_actor>::make(*system_, "node/" + node.name + "/server");
  dialer_options how;
  how.bounds = quick();
  for (auto port : node.ports) how.servers.push_back("127.0.0.1:" + std::to_string(port));
  auto name = node.name;
  how.nodes.push_back({std::move(node.name), std::move(node.proof), server, std::move(node.kubelet), node.component,
                       std::move(node.stamp)});
  std::vector<runtime::child_spec> children;
  children.push_back(dialer_child(std::move(how)));
  nodes_.push_back(runtime::spawn_supervisor(*system_, "node-" + name, std::move(children)));
  return server;
}

credentials credentials_of(const pki::key_pair& proof) {
  return {proof.certificate, proof.private_key, certificates::get().authority.certificate};
}

caller_actor fixture::add_caller(const runtime::stable_ref<api::api_server_actor>& server, api::user_ptr user) {
  auto made = system_->spawn<caller>(server, std::move(user));
  kept_.push_back(caf::actor_cast<caf::actor>(made));
  return made;
}

void fixture::tell(const caller_actor& to, std::function<void(runtime::api_session&)> run) {
  caf::anon_send(to, order{std::move(run)});
}

void fixture::publish_event(std::size_t bytes) { caf::anon_send(api_, publish{bytes}); }

void fixture::answer_what_is_held() { caf::anon_send(api_, answer_held{}); }

void fixture::show(const pki::key_pair& serving) {
  if (auto bad = port_->renew(credentials_of(serving)); !bad.ok()) throw std::runtime_error(bad.message);
}

void fixture::crash(const std::string& path) {
  auto found = config_.registry().find(path);
  if (!found) throw std::runtime_error("no " + path);
  caf::anon_send(caf::actor_cast<caf::actor>(found), supervision::crash{path});
}

std::optional<kubelet::kubelet_actor> fixture::kubelet_of(const std::string& node) {
  std::lock_guard guard(kubelets_->mutex);
  auto found = kubelets_->all.find(node);
  return found == kubelets_->all.end() ? std::nullopt : std::optional(found->second);
}

raw_peer::raw_peer(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0) throw std::runtime_error("connect");
  timeval limit{2, 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

raw_peer::~raw_peer() {
  if (tls_) SSL_free(tls_);
  if (context_) SSL_CTX_free(context_);
  ::close(socket_);
}

void raw_peer::write_plain(std::string_view bytes) { (void)::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

bool raw_peer::handshake(const pki::key_pair* proof, int version) {
  context_ = SSL_CTX_new(TLS_client_method());
  if (version != 0) SSL_CTX_set_max_proto_version(context_, version);
  if (proof) {
    auto load = [](const std::string& pem) { return BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())); };
    auto* bio = load(proof->certificate);
    auto* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    bio = load(proof->private_key);
    auto* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    SSL_CTX_use_certificate(context_, certificate);
    SSL_CTX_use_PrivateKey(context_, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  tls_ = SSL_new(context_);
  SSL_set_fd(tls_, socket_);
  bool good = SSL_connect(tls_) == 1;
  ERR_clear_error();
  return good;
}

std::string raw_peer::shown() const {
  auto* certificate = SSL_get1_peer_certificate(tls_);
  auto* number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr);
  auto* text = BN_bn2hex(number);
  std::string out = text;
  OPENSSL_free(text);
  BN_free(number);
  X509_free(certificate);
  return out;
}

void raw_peer::write(std::string_view bytes) {
  ERR_clear_error();
  (void)SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()));
}

void raw_peer::greet() {
  write(encode_frame(frame_kind::hello, to_msgpack(hello{protocol_version, "test"})));
  if (read()) reader_.open();
}

bool raw_peer::enter() { return enter(node_certificate("worker-1")); }

bool raw_peer::enter(const pki::key_pair& proof) {
  if (!handshake(&proof)) return false;
  greet();
  return true;
}

void raw_peer::ask(std::uint64_t id, const std::string& target) {
  api::request asked;
  asked.id = id;
  asked.target = target;
  write(encode_frame(frame_kind::request, to_msgpack(asked)));
}

std::optional<frame> raw_peer::read(std::chrono::milliseconds within) {
  auto end = std::chrono::steady_clock::now() + within;
  for (;;) {
    auto next = reader_.next();
    if (!next) return std::nullopt;
    if (*next && (*next)->kind != frame_kind::ping) return std::move(*next);
    if (*next) continue;
    char bytes[16384];
    ERR_clear_error();
    int got = SSL_read(tls_, bytes, sizeof bytes);
    if (got > 0)
      reader_.add({bytes, static_cast<std::size_t>(got)});
    else if (SSL_get_error(tls_, got) != SSL_ERROR_WANT_READ || std::chrono::steady_clock::now() > end)
      return std::nullopt;
  }
}

bool raw_peer::closed_within(std::chrono::milliseconds time) {
  auto end = std::chrono::steady_clock::now() + time;
  char bytes[4096];
  while (std::chrono::steady_clock::now() < end) {
    pollfd one{socket_, POLLIN, 0};
    if (::poll(&one, 1, 20) <= 0) continue;
    if (::recv(socket_, bytes, sizeof bytes, MSG_DONTWAIT) <= 0) return true;
  }
  return false;
}

}  // namespace troupe::link::testing
