// See pod_streams.hpp.
#include "runtime/placement/pod_streams.hpp"

#include <chrono>
#include <utility>

namespace troupe::runtime {
namespace {

// A node that hangs: the client gets its answer before its own patience (a minute) ends.
constexpr std::chrono::seconds open_limit{30};
// A client's own bound is 128; this one holds whatever the client is.
constexpr std::size_t max_legs = 256;

kubelet::open_pod_stream order_of(const api::node_request& asked) {
  kubelet::open_pod_stream order;
  order.kind = asked.subresource == "exec"     ? container::stream_kind::exec
               : asked.subresource == "attach" ? container::stream_kind::attach
                                               : container::stream_kind::port_forward;
  order.namespace_name = asked.pod->namespace_name;
  order.pod = asked.pod->name;
  order.container = asked.container;
  order.stdout_open = order.stderr_open = false;
  for (auto& [name, value] : asked.options) {
    bool on = value != "false" && value != "0";
    if (name == "command") order.command.push_back(value);
    if (name == "stdin") order.stdin_open = on;
    if (name == "stdout") order.stdout_open = on;
    if (name == "stderr") order.stderr_open = on;
    if (name == "tty") order.tty = on;
  }
  return order;
}

std::uint64_t session_of(std::uint64_t id) { return id >> stream::connection_bits << stream::connection_bits; }

}  // namespace

void pod_streams::open(const relay_request& what) {
  auto id = next_++ << stream::connection_bits;
  auto& made = sessions_[id];
  made.request_id = what.asked.id;
  made.client = caf::actor_cast<caf::strong_actor_ptr>(what.asked.client);
  made.order = order_of(what.asked);
  made.order.id = id;
  made.kubelet = what.kubelet;
  made.legs[id];
  peers_.add(made.client);
  in_.send_to(made.kubelet.handle(), made.order);
  in_.after(open_limit, [this, id] { give_up(id); });
}

pod_streams::place pod_streams::of(std::uint64_t id) { return sessions_.find(session_of(id)); }

pod_streams::session* pod_streams::of_client(std::uint64_t id, const caf::strong_actor_ptr& from) {
  auto found = of(id);
  return found != sessions_.end() && found->second.client == from ? &found->second : nullptr;
}

/// Takes the leg's source leave of it; `tell`: it is to stop.
void pod_streams::drop_leg(leg& which, std::uint64_t id, bool tell) {
  if (!which.source) return;
  if (tell) in_.send_to(which.source, stream::close{id});
  peers_.drop(caf::actor_cast<caf::actor_addr>(which.source));
  which.source = nullptr;
}

void pod_streams::forget(place which, bool tell) {
  for (auto& [id, one] : which->second.legs) drop_leg(one, id, tell);
  peers_.drop(caf::actor_cast<caf::actor_addr>(which->second.client));
  sessions_.erase(which);
}

void pod_streams::give_up(std::uint64_t id) {
  auto found = sessions_.find(id);
  if (found == sessions_.end() || found->second.answered) return;
  auto why = container::failure{container::fault::unavailable, "the node did not open the stream in time"};
  in_.send_to(found->second.client, refusal(found->second.request_id, why));
  forget(found, true);
}

void pod_streams::answer(std::uint64_t id, session& to) {
  to.answered = true;
  api::response head;
  head.id = to.request_id;
  head.code = 101;
  head.content_type.clear();
  head.stream_id = id;
  in_.send_to(to.client, std::move(head));
}

void pod_streams::on_opened(const caf::strong_actor_ptr& from, const stream::opened& m) {
  auto found = of(m.id);
  auto at = found == sessions_.end() ? std::map<std::uint64_t, leg>::iterator() : found->second.legs.find(m.id);
  if (found == sessions_.end() || at == found->second.legs.end()) {
    if (m.error.ok()) in_.send_to(from, stream::close{m.id});  // its client is gone
    return;
  }
  auto& to = found->second;
  if (!m.error.ok()) {
    if (to.answered) {
      in_.send_to(to.client, stream::closed{m.id, m.error});
      to.legs.erase(at);
      return;
    }
    in_.send_to(to.client, refusal(to.request_id, m.error));
    return forget(found, true);
  }
  if (!to.answered) answer(m.id, to);
  if (to.forwards() && m.id == found->first) {  // its connections come later
    to.legs.erase(at);
    return;
  }
  at->second.source = from;
  peers_.add(from);
  for (auto& one : at->second.waiting) in_.send_to(from, std::move(one));
  at->second.waiting.clear();
}

void pod_streams::on_connect(const caf::strong_actor_ptr& from, const stream::connect& m) {
  auto* to = of_client(m.id, from);
  if (!to || !to->answered || !to->forwards()) return;
  if (!to->kubelet.up())
    return in_.send_to(from, stream::closed{m.id, {container::fault::unavailable, "the node cannot be asked"}});
  if (to->legs.size() >= max_legs || !to->legs.try_emplace(m.id).second) {
    in_.send_to(from, stream::closed{m.id, {container::fault::resource_exhausted, "too many connections"}});
    return;
  }
  auto order = to->order;
  order.id = m.id;
  order.port = m.port;
  in_.send_to(to->kubelet.handle(), std::move(order));
}

void pod_streams::on_chunk(const caf::strong_actor_ptr& from, const stream::chunk& m) {
  auto found = of(m.id);
  if (found == sessions_.end()) return;
  auto& one = found->second;
  auto at = one.legs.find(m.id);
  if (at == one.legs.end()) return;
  if (from == at->second.source)
    in_.send_to(one.client, m);
  else if (from != one.client)
    return;
  else if (at->second.source)
    in_.send_to(at->second.source, m);
  else
    at->second.waiting.push_back(m);
}

void pod_streams::on_credit(const caf::strong_actor_ptr& from, const stream::credit& m) {
  auto found = of(m.id);
  if (found == sessions_.end()) return;
  auto at = found->second.legs.find(m.id);
  if (at == found->second.legs.end() || !at->second.source) return;
  if (from == at->second.source)
    in_.send_to(found->second.client, m);
  else if (from == found->second.client)
    in_.send_to(at->second.source, m);
}

void pod_streams::on_close(const caf::strong_actor_ptr& from, const stream::close& m) {
  auto* owner = of_client(m.id, from);
  if (!owner) return;
  if (session_of(m.id) == m.id) return forget(of(m.id), true);
  auto at = owner->legs.find(m.id);
  if (at == owner->legs.end()) return;
  drop_leg(at->second, m.id, true);
  owner->legs.erase(at);
}

void pod_streams::on_closed(const caf::strong_actor_ptr& from, const stream::closed& m) {
  auto found = of(m.id);
  if (found == sessions_.end()) return;
  auto at = found->second.legs.find(m.id);
  if (at == found->second.legs.end() || at->second.source != from) return;
  in_.send_to(found->second.client, m);
  if (m.id == found->first) return forget(found, false);
  drop_leg(at->second, m.id, false);
  found->second.legs.erase(at);
}

void pod_streams::on_down(const caf::actor_addr& who) {
  auto is = [&](const caf::strong_actor_ptr& one) { return one && caf::actor_cast<caf::actor_addr>(one) == who; };
  const container::failure lost{container::fault::unavailable, "the node's end of the stream is gone"};
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    auto here = at++;
    auto& one = here->second;
    if (is(one.client)) {
      forget(here, true);
      continue;
    }
    bool over = false;
    for (auto at_leg = one.legs.begin(); at_leg != one.legs.end();) {
      bool lost_it = is(at_leg->second.source);
      if (lost_it) in_.send_to(one.client, stream::closed{at_leg->first, lost});
      over = over || (lost_it && at_leg->first == here->first);
      at_leg = lost_it ? one.legs.erase(at_leg) : std::next(at_leg);
    }
    if (over) forget(here, false);
  }
}

void pod_streams::end_all() {
  const container::failure lost{container::fault::unavailable, "the stream was cut off by a failure inside the server"};
  for (auto& [id, made] : sessions_) {
    for (auto& [leg_id, one] : made.legs)
      if (one.source) in_.send_to(one.source, stream::close{leg_id});
    if (made.answered)
      in_.send_to(made.client, stream::closed{id, lost});
    else
      in_.send_to(made.client, refusal(made.request_id, lost));
  }
  sessions_.clear();
}

}  // namespace troupe::runtime
