// See core.hpp.
#include "actors/leader/core.hpp"

#include <utility>

#include "messages/wall_time.hpp"

namespace troupe::leader {
namespace {

/// Names and times hold nothing that JSON escapes.
std::string lease_json(const state& s, const std::string& holder, std::uint64_t duration_ms,
                       const std::string& acquired, std::int64_t transitions) {
  std::string out = R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":")";
  out.append(s.config.name).append(R"(","namespace":"kube-system")");
  if (s.known) out.append(R"(,"resourceVersion":")").append(s.seen.resource_version).append("\"");
  out.append(R"(},"spec":{"holderIdentity":")").append(holder);
  out.append(R"(","leaseDurationSeconds":)").append(std::to_string(duration_ms / 1000));
  out.append(R"(,"acquireTime":")").append(acquired);
  out.append(R"(","renewTime":")").append(micro_time_text(s.wall_ms));
  out.append(R"(","leaseTransitions":)").append(std::to_string(transitions)).append("}}");
  return out;
}

void write(state& s, effects& out) {
  const bool ours = s.known && s.seen.holder == s.config.identity;
  // As client-go counts: the first holder is no transition.
  const auto transitions = !s.known ? 0 : ours ? s.seen.transitions : s.seen.transitions + 1;
  const auto acquired = ours && !s.seen.acquired.empty() ? s.seen.acquired : micro_time_text(s.wall_ms);
  s.asking = true;
  s.sent_ms = s.now_ms;
  out.emplace_back(write_lease{lease_json(s, s.config.identity, s.config.lease_ms, acquired, transitions), !s.known});
}

void see(state& s, const record& found) {
  if (!s.known || !(s.seen == found)) {
    s.seen = found;
    s.seen_ms = s.now_ms;
  }
  s.known = true;
}

bool held_by_another(const state& s) {
  return !s.seen.holder.empty() && s.seen.holder != s.config.identity && s.now_ms < s.seen_ms + s.seen.duration_ms;
}

void wait(state& s) {
  s.asking = false;
  s.due_ms = s.now_ms + s.config.retry_ms;
}

void step_down_if_late(state& s, effects& out) {
  if (!s.leads || s.now_ms < s.renewed_ms + s.config.renew_ms) return;
  s.leads = false;
  out.emplace_back(std::in_place_type<step_down>);
}

struct stepper {
  state& s;
  effects& out;

  void operator()(const clock_ticked& e) {
    s.now_ms = e.now_ms;
    s.wall_ms = e.wall_ms;
    step_down_if_late(s, out);
    if (s.asking || s.now_ms < s.due_ms) return;
    if (s.leads && !s.doubtful) return write(s, out);
    s.asking = true;
    out.emplace_back(std::in_place_type<read_lease>);
  }
  void operator()(const lease_read& e) {
    if (!e.exists) {
      // Deleted by somebody: its holder, who makes it again, has its time all the same.
      if (s.known && held_by_another(s)) return wait(s);
      s.known = s.doubtful = false;
      return write(s, out);
    }
    see(s, e.found);
    s.doubtful = false;
    if (!held_by_another(s)) return write(s, out);
    if (std::exchange(s.leads, false)) out.emplace_back(std::in_place_type<step_down>);
    wait(s);
  }
  void operator()(const lease_written& e) {
    wait(s);
    if (!e.done) {
      s.doubtful = true;
      s.due_ms = s.now_ms;
      return;
    }
    see(s, e.now);
    s.renewed_ms = s.sent_ms;
    if (!std::exchange(s.leads, true)) out.emplace_back(std::in_place_type<lead>);
  }
  void operator()(const call_failed&) {
    wait(s);
    step_down_if_late(s, out);
  }
};

}  // namespace

effects step(state& s, const event& e) {
  effects out;
  std::visit(stepper{s, out}, e);
  return out;
}

std::string released(const state& s) {
  if (!s.leads || !s.known) return {};
  return lease_json(s, "", 1'000, s.seen.acquired, s.seen.transitions);
}

}  // namespace troupe::leader
