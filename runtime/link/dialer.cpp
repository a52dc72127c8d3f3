// See dialer.hpp.
#include "runtime/link/dialer.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <caf/send.hpp>

#include "runtime/link/backoff.hpp"
#include "runtime/link/loop.hpp"
#include "runtime/link/node_end.hpp"
#include "runtime/link/wire.hpp"
#include "runtime/log.hpp"

namespace troupe::link {
namespace {

using runtime::log_level;

constexpr std::uint64_t steady_link_us = 10'000'000;  // a link that held so long ends the backoff

struct host_port {
  std::string host, port;
};

/// "10.0.0.1:6444", "[::1]:6444", "control.example:6444".
host_port split(const std::string& server) {
  auto colon = server.rfind(':');
  host_port out{server.substr(0, colon), colon == std::string::npos ? "" : server.substr(colon + 1)};
  if (out.host.starts_with('[') && out.host.ends_with(']')) out.host = out.host.substr(1, out.host.size() - 2);
  return out;
}

using addresses_ptr = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

/// One node of this process.
struct node_state {
  linked_node node;
  std::uint64_t primary = 0;  // the channel that its requests go by; 0: none is open
  std::uint64_t stamp = 0;    // of its proof, at the last look
  std::string used;           // the certificate of `tls`
  ssl_context_ptr tls;
  std::shared_ptr<std::atomic<std::uint64_t>> watch_ids = std::make_shared<std::atomic<std::uint64_t>>(0);
};

/// Where the link of a node to a server stands.
struct link_state {
  std::size_t node = 0, server = 0;
  std::uint64_t open = 0;          // its channel; 0: none. One that has been retired is nobody's.
  std::uint64_t dialed = 0;        // the channel that is to be the next; 0: none
  std::uint64_t open_stamp = 0;    // of the proof that `open` has shown
  std::uint64_t dialed_stamp = 0;  // and of the one that `dialed` shows
  std::uint64_t tries = 0;         // failed in a row
  std::uint64_t due_us = 0;        // when to dial
  std::uint64_t up_us = 0;         // when it was opened
  std::uint64_t next_address = 0;  // of those that the server has
  std::string told;                // the last reason that was logged: an outage is one line, not one a try
};

std::string whose(const linked_node& one) { return (one.component ? "component=" : "node=") + one.name; }

class dialer final : public link_loop {
 public:
  dialer(caf::actor_config& settings, dialer_options how)
      : link_loop(settings, "link", how.bounds), servers_(std::move(how.servers)) {
    silent_ = spawn_silent_server(system());
    for (auto& one : how.nodes) {
      one.server.set_target(silent_);
      for (std::size_t server = 0; server < servers_.size(); ++server) {
        auto& link = links_.emplace_back();
        link.node = nodes_.size();
        link.server = server;
      }
      nodes_.emplace_back().node = std::move(one);
    }
  }

  /// A reference and its target hold each other until the target ends.
  void on_exit() override { caf::anon_send_exit(silent_, caf::exit_reason::user_shutdown); }

 private:
  void on_tick() override {
    if (now_us_ >= look_us_) look_for_renewals();
    dialing_.assign(servers_.size(), 0);
    for (const auto& link : links_)
      if (link.dialed != 0) ++dialing_[link.server];
    for (std::size_t i = 0; i < links_.size(); ++i) {
      auto& link = links_[i];
      if (!wanted(link) || link.due_us > now_us_ || dialing_[link.server] >= bounds_.dialing) continue;
      ++dialing_[link.server];
      if (auto bad = dial_one(i); !bad.ok()) failed(link, {"unreachable", bad.message});
    }
  }

  void look_for_renewals() {
    look_us_ = now_us_ + static_cast<std::uint64_t>(bounds_.renewal_look.count()) * 1000;
    for (auto& one : nodes_) one.stamp = stamp_of(one);
  }

  static std::uint64_t stamp_of(const node_state& of) { return of.node.stamp ? of.node.stamp() : 0; }

  /// Whether a channel is to be dialed: there is none, or the one there is has shown an old certificate.
  bool wanted(const link_state& link) const {
    auto stamp = nodes_[link.node].stamp;
    return link.dialed == 0 && (link.open == 0 || (stamp != 0 && stamp != link.open_stamp));
  }

  int next_tick_ms() const override {
    auto next = link_loop::next_tick_ms();
    for (const auto& link : links_) {
      if (!wanted(link)) continue;
      auto wait = link.due_us > now_us_ ? (link.due_us - now_us_) / 1000 + 1 : 5;  // for a place among those that dial
      next = std::min(next, static_cast<int>(std::min<std::uint64_t>(wait, 1000)));
    }
    return next;
  }

  status dial_one(std::size_t index) {
    auto& link = links_[index];
    auto& node = nodes_[link.node];
    const auto& server = servers_[link.server];
    // Before the proof: a change in between is seen by the next look.
    link.dialed_stamp = node.stamp = stamp_of(node);
    auto proof = node.node.proof();
    if (!proof) return proof.error();
    if (auto bad = refresh(node, *proof); !bad.ok()) return bad;
    auto where = split(server);
    auto tls = dial(node.tls.get(), where.host);
    if (!tls) return tls.error();
    auto socket = connect_to(where, server, link.next_address++);
    if (!socket) return socket.error();
    auto& made = add(*socket, std::move(*tls), side::node, true);
    made.peer = server;
    made.node = node.node.name;
    made.link = index;
    link.dialed = made.id();
    return {};
  }

  static status refresh(node_state& node, const credentials& proof) {
    auto now = proof.certificate + proof.authority;
    if (node.tls && node.used == now) return {};
    auto made = make_dialing_context(proof);
    if (!made) return made.error();
    node.tls = std::move(*made);
    node.used = std::move(now);
    return {};
  }

  /// A socket that is being connected to one of the addresses that the server has, round about. A name is resolved
  /// here, which may take the resolver's time; addresses do not.
  static result<int> connect_to(const host_port& where, const std::string& server, std::uint64_t round) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    if (int bad = getaddrinfo(where.host.c_str(), where.port.c_str(), &wanted, &list); bad != 0)
      return bad_request(server + ": " + gai_strerror(bad));
    addresses_ptr owned(list, freeaddrinfo);
    std::uint64_t count = 0;
    for (auto* one = list; one; one = one->ai_next) ++count;
    for (auto skip = round % count; skip > 0; --skip) list = list->ai_next;
    int socket = ::socket(list->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket < 0) return internal_error(std::string("socket: ") + std::strerror(errno));
    int yes = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (::connect(socket, list->ai_addr, list->ai_addrlen) != 0 && errno != EINPROGRESS) {
      auto text = server + ": " + std::strerror(errno);
      ::close(socket);
      return bad_request(text);
    }
    return socket;
  }

  void on_handshake(channel& by) override {
    if (auto bad = judge_control_plane(by.certificate()); !bad.ok()) return by.end("wrong_role", bad.message);
    by.send(frame_kind::hello, to_msgpack(hello{protocol_version, "troupe " TROUPE_VERSION}));
  }

  void on_greeting(channel& by, const frame& what) override {
    const auto& node = nodes_[links_[by.link].node];
    welcome said;
    if (!decode(what.payload, said)) return by.end("bad_frame", "the welcome cannot be read");
    if (said.version != protocol_version) return refuse(by, "version", "another version of the link's protocol");
    if (said.node != node.node.name) return refuse(by, "wrong_node", "the certificate is of \"" + said.node + "\"");
    by.open();
    join(by, caf::actor_cast<caf::strong_actor_ptr>(make_end(by, node)));
    opened(by);
  }

  node_end_actor make_end(const channel& of, const node_state& node) {
    node_end_options how;
    how.node = node.node.name;
    how.component = node.node.component;
    how.channel = of.id();
    how.loop = loop_handle{this};
    how.kubelet = node.node.kubelet;
    how.unread = of.unread;
    how.unsent = of.unsent;
    how.watch_ids = node.watch_ids;
    how.bounds = bounds_;
    runtime::spawn_scope scope(path() + "/" + node.node.name, 1);
    return spawn_node_end(system(), std::move(how));
  }

  /// The channel has its link's place. Requests go by the first link that was open; when a newer channel takes the
  /// place of an older one, what the older one was asked it still answers.
  void opened(channel& by) {
    auto& link = links_[by.link];
    auto& node = nodes_[link.node];
    auto before = std::exchange(link.open, std::exchange(link.dialed, 0));
    link.open_stamp = link.dialed_stamp;
    link.up_us = now_us_;
    link.told.clear();
    log(log_level::info, before == 0 ? "link.up" : "link.renewed", whose(node.node) + " server=" + by.peer);
    if (node.primary == 0 || node.primary == before) {
      auto end = caf::actor_cast<api::api_server_actor>(by.actor);
      node.primary == 0 ? node.node.server.set_target(end) : node.node.server.hand_over(end);
      node.primary = by.id();
    }
    auto old = channels().find(before);
    if (old != channels().end()) send_to(old->second->actor, link_retired{});
  }

  void on_gone(channel& which) override {
    const auto why = which.ended().value_or(ending{});
    auto& link = links_[which.link];
    auto& node = nodes_[link.node];
    if (link.dialed == which.id()) {
      link.dialed = 0;
      failed(link, why);
    } else if (link.open == which.id()) {
      link.open = 0;
      if (now_us_ - link.up_us >= steady_link_us) link.tries = 0;
      failed(link, why);
    }
    if (node.primary == which.id()) choose_primary(node);
    if (which.actor) send_to(which.actor, link_ended{why.text});
  }

  /// The way of the node's requests is gone: what went by it fails in this moment.
  void choose_primary(node_state& node) {
    node.primary = 0;
    for (const auto& link : links_) {
      auto found = &nodes_[link.node] == &node ? channels().find(link.open) : channels().end();
      if (found == channels().end() || found->second->ended() || !found->second->actor) continue;
      node.primary = link.open;
      log(log_level::info, "link.taken_over", whose(node.node) + " server=" + found->second->peer);
      return node.node.server.set_target(caf::actor_cast<api::api_server_actor>(found->second->actor));
    }
    node.node.server.set_target(silent_);
  }

  void failed(link_state& link, const ending& why) {
    ++link.tries;
    auto base = static_cast<std::uint64_t>(bounds_.backoff_base.count());
    auto cap = static_cast<std::uint64_t>(bounds_.backoff_cap.count());
    link.due_us = now_us_ + backoff_ms(link.tries, base, cap, random_u64()) * 1000;
    auto text = whose(nodes_[link.node].node) + " reason=" + why.word + " server=" + servers_[link.server] +
                " why=" + runtime::log_value(why.text);
    if (text == link.told) return;
    link.told = text;
    log(log_level::warn, link.open == 0 ? "link.down" : "link.not_renewed", text);
  }

  std::vector<std::string> servers_;
  std::vector<node_state> nodes_;
  std::vector<link_state> links_;  // each node's together, in the order of the servers
  /// By server, or one that does not answer would hold up those that do.
  std::vector<std::size_t> dialing_;
  std::uint64_t look_us_ = 0;  // when to look for renewed certificates
  api::api_server_actor silent_;
};

}  // namespace

loop_handle spawn_dialer(caf::actor_system& system, dialer_options how) {
  return runtime::spawn_loop<dialer>(system, std::move(how));
}

runtime::child_spec dialer_child(dialer_options how) {
  return runtime::child<loop_handle>("link",
                                     [how = std::move(how)](caf::actor_system& in) { return spawn_dialer(in, how); });
}

}  // namespace troupe::link
