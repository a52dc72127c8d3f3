// See dialer.hpp.
#include "runtime/link/dialer.hpp"

#include <algorithm>
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

/// Where a link stands.
struct link_state {
  linked_node node;
  std::uint64_t channel = 0;  // 0: none
  std::uint64_t tries = 0;    // failed in a row
  std::uint64_t due_us = 0;   // when to dial
  std::uint64_t up_us = 0;    // when it was opened
  std::size_t next_server = 0;
  std::string told;  // the last reason that was logged: an outage is one line, not one a try
  std::string used;  // the certificate of `tls`
  ssl_context_ptr tls;
};

std::string whose(const linked_node& one) { return (one.component ? "component=" : "node=") + one.name; }

class dialer final : public link_loop {
 public:
  dialer(caf::actor_config& settings, dialer_options how)
      : link_loop(settings, "link", how.bounds), servers_(std::move(how.servers)) {
    for (auto& one : how.nodes) links_.emplace_back().node = std::move(one);
    silent_ = spawn_silent_server(system());
    for (auto& one : links_) one.node.server.set_target(silent_);
  }

  /// A reference and its target hold each other until the target ends.
  void on_exit() override { caf::anon_send_exit(silent_, caf::exit_reason::user_shutdown); }

 private:
  void on_tick() override {
    auto dialing = static_cast<std::size_t>(std::count_if(channels().begin(), channels().end(), [](const auto& one) {
      return one.second->at() != channel::phase::open;
    }));
    for (std::size_t i = 0; i < links_.size() && dialing < bounds_.dialing; ++i) {
      auto& link = links_[i];
      if (link.channel != 0 || link.due_us > now_us_) continue;
      ++dialing;
      if (auto bad = dial_one(i); !bad.ok()) failed(link, {"unreachable", bad.message});
    }
  }

  int next_tick_ms() const override {
    auto next = link_loop::next_tick_ms();
    for (const auto& link : links_) {
      if (link.channel != 0) continue;
      auto wait = link.due_us > now_us_ ? (link.due_us - now_us_) / 1000 + 1 : 1;
      next = std::min(next, static_cast<int>(std::min<std::uint64_t>(wait, 1000)));
    }
    return next;
  }

  status dial_one(std::size_t index) {
    auto& link = links_[index];
    // All servers first, then their next addresses: the first one may lead nowhere.
    auto round = link.next_server / servers_.size();
    auto server = servers_[link.next_server++ % servers_.size()];
    auto proof = link.node.proof();
    if (!proof) return proof.error();
    if (auto bad = refresh(link, *proof); !bad.ok()) return bad;
    auto where = split(server);
    auto tls = dial(link.tls.get(), where.host);
    if (!tls) return tls.error();
    auto socket = connect_to(where, server, round);
    if (!socket) return socket.error();
    auto& made = add(*socket, std::move(*tls), side::node, true);
    made.peer = server;
    made.node = link.node.name;
    made.link = index;
    link.channel = made.id();
    return {};
  }

  static status refresh(link_state& link, const credentials& proof) {
    auto now = proof.certificate + proof.authority;
    if (link.tls && link.used == now) return {};
    auto made = make_dialing_context(proof);
    if (!made) return made.error();
    link.tls = std::move(*made);
    link.used = std::move(now);
    return {};
  }

  /// A socket that is being connected to one of the addresses that the server has, round about. A name is resolved
  /// here, which may take the resolver's time; addresses do not.
  static result<int> connect_to(const host_port& where, const std::string& server, std::size_t round) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    if (int bad = getaddrinfo(where.host.c_str(), where.port.c_str(), &wanted, &list); bad != 0)
      return bad_request(server + ": " + gai_strerror(bad));
    addresses_ptr owned(list, freeaddrinfo);
    std::size_t count = 0;
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
    auto& link = links_[by.link];
    welcome said;
    if (!decode(what.payload, said)) return by.end("bad_frame", "the welcome cannot be read");
    if (said.version != protocol_version) return refuse(by, "version", "another version of the link's protocol");
    if (said.node != link.node.name) return refuse(by, "wrong_node", "the certificate is of \"" + said.node + "\"");
    by.open();
    node_end_options how;
    how.node = link.node.name;
    how.component = link.node.component;
    how.channel = by.id();
    how.loop = loop_handle{this};
    how.kubelet = link.node.kubelet;
    how.unread = by.unread;
    how.bounds = bounds_;
    node_end_actor made;
    {
      runtime::spawn_scope scope(path() + "/" + link.node.name, 1);
      made = spawn_node_end(system(), std::move(how));
    }
    join(by, caf::actor_cast<caf::strong_actor_ptr>(made));
    log(log_level::info, "link.up", whose(link.node) + " server=" + by.peer);
    link.up_us = now_us_;
    link.told.clear();
    link.node.server.set_target(caf::actor_cast<api::api_server_actor>(made));
  }

  void on_gone(channel& which) override {
    auto& link = links_[which.link];
    if (which.at() == channel::phase::open) {
      link.node.server.set_target(silent_);
      if (now_us_ - link.up_us >= steady_link_us) link.tries = 0;
    }
    const auto why = which.ended().value_or(ending{});
    if (which.actor) send_to(which.actor, link_ended{why.text});
    link.channel = 0;
    failed(link, why);
  }

  void failed(link_state& link, const ending& why) {
    ++link.tries;
    auto base = static_cast<std::uint64_t>(bounds_.backoff_base.count());
    auto cap = static_cast<std::uint64_t>(bounds_.backoff_cap.count());
    link.due_us = now_us_ + backoff_ms(link.tries, base, cap, random_u64()) * 1000;
    auto text = whose(link.node) + " reason=" + why.word + " why=" + runtime::log_value(why.text);
    if (text == link.told) return;
    link.told = text;
    log(log_level::warn, "link.down", text);
  }

  std::vector<std::string> servers_;
  std::vector<link_state> links_;
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
