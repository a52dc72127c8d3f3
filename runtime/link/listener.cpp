// See listener.hpp.
#include "runtime/link/listener.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/line_budget.hpp"
#include "runtime/link/loop.hpp"
#include "runtime/link/session.hpp"
#include "runtime/link/wire.hpp"
#include "runtime/log.hpp"
#include "runtime/socket_address.hpp"

namespace troupe::link {
namespace {

class listener final : public link_loop {
 public:
  listener(caf::actor_config& settings, listener_options how)
      : link_loop(settings, "link", how.port->bounds()), how_(std::move(how)) {}

 private:
  using log_level = runtime::log_level;

  void on_tick() override {
    if (listening_) return;
    watch(how_.port->socket());
    listening_ = true;
  }

  void on_readable() override {
    for (int turn = 0; turn < 64; ++turn) {
      runtime::socket_address from{};
      socklen_t size = sizeof from;
      int socket = ::accept4(how_.port->socket(), &from.base, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket >= 0) {
        take(socket, from);
        continue;
      }
      // Out of descriptors or memory: the listener would stay readable and this thread would spin until the next tick.
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        unwatch(how_.port->socket());
        listening_ = false;
      }
      return;
    }
  }

  void take(int socket, const runtime::socket_address& from) {
    auto address = runtime::address_text(from);
    auto peer = address + ":" + std::to_string(runtime::port_of(from));
    std::size_t unproven = 0, of_address = 0;
    for (const auto& [id, one] : channels()) {
      if (one->at() == channel::phase::open) continue;
      ++unproven;
      if (one->address == address) ++of_address;
    }
    if (channels().size() >= bounds_.connections || unproven >= bounds_.unproven ||
        of_address >= bounds_.unproven_of_address) {
      ::close(socket);
      tell(peer, {"too_many", "too many connections that have not proved themselves"}, {});
      return;
    }
    int yes = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    ssl_ptr tls(SSL_new(how_.port->tls().get()));
    SSL_set_accept_state(tls.get());
    auto& made = add(socket, std::move(tls), side::control_plane, false);
    made.peer = std::move(peer);
    made.address = std::move(address);
  }

  void on_handshake(channel& by) override {
    auto shown = by.certificate();
    by.end_ms = shown.end_ms;
    auto who = identity_of(shown);
    if (!who) return refuse(by, "wrong_role", who.error().message);
    by.node = std::move(who->name);
    by.component = who->component;
    // Two schedulers that know nothing of each other would both bind.
    const auto& here = how_.not_wanted;
    if (by.component && std::find(here.begin(), here.end(), by.node) != here.end())
      refuse(by, "not_wanted", by.node + " runs in this control plane, whose `components` have to leave it out");
  }

  void on_greeting(channel& by, const frame& what) override {
    hello said;
    if (!decode(what.payload, said)) return refuse(by, "bad_frame", "the hello cannot be read");
    if (said.version != protocol_version)
      return refuse(by, "version",
                    "link protocol " + std::to_string(said.version) + ", not " + std::to_string(protocol_version));
    if (!by.component) make_room(by);
    if (by.component && open_of(by).size() >= bounds_.links_of_component)
      return refuse(by, "too_many", "too many links of " + by.node);
    open(by, said);
  }

  /// Several processes may be one component: by election one of them works, or each serves its machine. A node is one,
  /// which has a newer link beside an older one while its certificate is renewed, and when it comes back before the
  /// old one is known to be dead.
  void make_room(const channel& by) {
    std::vector<channel*> others = open_of(by);
    if (others.size() < bounds_.links_of_node) return;
    refuse(*others.front(), "replaced", "newer links of the same node");
  }

  /// The other open links of the same node or component, the oldest first.
  std::vector<channel*> open_of(const channel& which) const {
    std::vector<channel*> out;
    for (const auto& [id, one] : channels())
      if (one.get() != &which && one->node == which.node && one->at() == channel::phase::open && !one->ended())
        out.push_back(one.get());
    std::sort(out.begin(), out.end(), [](const auto* a, const auto* b) { return a->id() < b->id(); });
    return out;
  }

  void open(channel& by, const hello& said) {
    by.open();
    session_options how;
    how.who = {by.node, by.component};
    how.accounts = how_.accounts;
    how.channel = by.id();
    how.loop = loop_handle{this};
    how.server = how_.server;
    how.unread = by.unread;
    how.unsent = by.unsent;
    how.bounds = bounds_;
    how.refused = [port = how_.port](const std::string& reason) { port->refused().count(reason); };
    session_actor made;
    {
      runtime::spawn_scope scope(path() + "/" + by.node, 1);
      made = spawn_session(system(), std::move(how));
    }
    join(by, caf::actor_cast<caf::strong_actor_ptr>(made));
    by.send(frame_kind::welcome, to_msgpack(welcome{protocol_version, "troupe " TROUPE_VERSION, by.node}));
    log(log_level::info, "link.up",
        whose(by) + " peer=" + by.peer + " software=" + runtime::log_value(said.software.substr(0, 64)));
    if (!by.component) tell_up(by);
  }

  void on_gone(channel& which) override {
    const auto why = which.ended().value_or(ending{});
    if (which.actor) send_to(which.actor, link_ended{why.text});
    bool was_open = which.at() == channel::phase::open;
    if (!was_open || !ordinary(why.word)) return finish(which, why);
    log(log_level::info, "link.down", whose(which) + " reason=" + why.word + " " + runtime::log_value(why.text));
    leave(which);
  }

  static std::string whose(const channel& of) { return (of.component ? "component=" : "node=") + of.node; }

  static bool ordinary(const std::string& word) {
    return word == "closed" || word == "goodbye" || word == "silent" || word == "stopped" || word == "replaced";
  }

  void finish(channel& which, const ending& why) {
    tell(which.peer, why, which.node.empty() ? std::string() : whose(which));
    if (which.at() == channel::phase::open) leave(which);
  }

  /// The newest link is the one by which the node is asked.
  void leave(const channel& which) {
    if (which.component) return;
    auto others = open_of(which);
    if (others.empty()) {
      if (how_.node_down) how_.node_down(which.node);
    } else if (others.back()->id() < which.id()) {
      tell_up(*others.back());
    }
  }

  void tell_up(const channel& by) {
    if (how_.node_up && by.actor) how_.node_up(by.node, caf::actor_cast<kubelet::kubelet_actor>(by.actor));
  }

  /// Counts and logs a refusal.
  void tell(const std::string& peer, const ending& why, const std::string& whose_link) {
    how_.port->refused().count(why.word);
    std::uint64_t left_out = 0;
    if (!lines_.take(now_us_, left_out)) return;
    auto text = "peer=" + peer + " reason=" + why.word + " why=" + runtime::log_value(why.text);
    if (!whose_link.empty()) text.append(" ").append(whose_link);
    log(log_level::warn, "link.refused", text.append(runtime::left_out_text(left_out)));
  }

  listener_options how_;
  bool listening_ = false;
  runtime::line_budget lines_;
};

}  // namespace

void refusals::count(const std::string& reason) {
  std::lock_guard guard(mutex_);
  ++counts_[reason];
  if (!all_) return;
  auto& counter = counters_[reason];
  if (!counter)
    counter = &all_->make_counter("troupe_link_refused_total", "Connections and frames that the cluster link refused.",
                                  {{"reason", reason}});
  counter->add();
}

std::uint64_t refusals::of(const std::string& reason) const {
  std::lock_guard guard(mutex_);
  auto found = counts_.find(reason);
  return found == counts_.end() ? 0 : found->second;
}

result<std::shared_ptr<link_port>> link_port::open(const std::string& address, std::uint16_t port,
                                                   const credentials& with, const limits& bounds,
                                                   metrics::registry* measured) {
  std::shared_ptr<link_port> made(new link_port(bounds, measured));
  if (auto bad = made->renew(with); !bad.ok()) return bad;
  runtime::socket_address where{};
  auto size = runtime::parse_address(address, port, where);
  if (size == 0) return bad_request("link.listen: \"" + address + "\" is not an IP address");
  auto listening = runtime::listen_on(where, size, 1024);
  if (listening.descriptor < 0) {
    auto text = std::string("link: cannot listen on ") + address;
    return internal_error(text.append(":").append(std::to_string(port)).append(": ").append(std::strerror(errno)));
  }
  made->socket_ = listening.descriptor;
  made->port_ = listening.port;
  return made;
}

link_port::~link_port() {
  if (socket_ >= 0) ::close(socket_);
}

ssl_context_ptr link_port::tls() const {
  std::lock_guard guard(mutex_);
  return tls_;
}

status link_port::renew(const credentials& with) {
  auto made = make_listening_context(with);
  if (!made) return made.error();
  std::lock_guard guard(mutex_);
  tls_ = std::move(*made);
  return {};
}

loop_handle spawn_listener(caf::actor_system& system, listener_options how) {
  return runtime::spawn_loop<listener>(system, std::move(how));
}

runtime::child_spec listener_child(listener_options how) {
  return runtime::child<loop_handle>("link",
                                     [how = std::move(how)](caf::actor_system& in) { return spawn_listener(in, how); });
}

}  // namespace troupe::link
