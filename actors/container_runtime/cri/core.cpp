// See core.hpp.
#include "actors/container_runtime/cri/core.hpp"

#include <algorithm>

namespace troupe::cri {
namespace {

constexpr std::int64_t look_period_ms = 1000;
constexpr std::int64_t away_period_ms = 250;  // a runtime that is away is looked for more often
constexpr std::int64_t again_ms = 20;         // several changes at once need one look

using stage = driver_state::stage;

struct turn {
  driver_state& s;
  std::int64_t now_ms;
  effects out;

  template <class Effect>
  void emit(Effect effect) {
    out.emplace_back(std::move(effect));
  }

  // -- order

  static bool may_start(const std::deque<queued_request>& queue, std::size_t at) {
    auto how = queue[at].how;
    for (std::size_t i = 0; i < at; ++i) {
      auto before = queue[i].how;
      if (before == manner::alone) return false;
      if (before == manner::stopping && how == manner::alone) return false;
    }
    return true;
  }

  void start_what_may(const std::string& key) {
    auto& queue = s.queues[key];
    for (std::size_t i = 0; i < queue.size(); ++i) {
      if (queue[i].started || !may_start(queue, i)) continue;
      queue[i].started = true;
      emit(begin{queue[i].token});
    }
    if (queue.empty()) s.queues.erase(key);
  }

  void on(const request_came& e) {
    if (e.key.empty()) return emit(begin{e.token});
    s.keys[e.token] = e.key;
    s.queues[e.key].push_back({e.token, e.how, false});
    start_what_may(e.key);
  }

  void on(const request_ended& e) {
    auto found = s.keys.find(e.token);
    if (found != s.keys.end()) {
      auto key = std::move(found->second);
      s.keys.erase(found);
      std::erase_if(s.queues[key], [&](auto& one) { return one.token == e.token; });
      start_what_may(key);
    }
    if (e.changed) want_look();
  }

  // -- looking

  void want_look() {
    s.again = true;
    s.look_due_ms = std::min(s.look_due_ms, now_ms);
  }

  void on(const list_wanted& e) {
    s.wanted.push_back(e.token);
    want_look();
  }

  void on(const clock_due&) {
    if (s.wake_ms <= now_ms) s.wake_ms = 0;
  }

  void begin_round() {
    s.round = stage::listing;
    s.again = false;
    s.round_error = {};
    s.fresh.clear();
    s.served = std::move(s.wanted);
    s.wanted.clear();
    emit(look{});
  }

  void on(const looked& e) {
    if (s.round != stage::listing) return;
    if (!e.error.ok()) return end_round(e.error);
    s.round = stage::inspecting;
    s.listed = e.found;
    drop_what_is_gone();
    for (auto& one : s.listed.sandboxes) examine(one, true);
    for (auto& one : s.listed.containers) examine(one, false);
    if (s.open.empty()) end_round({});
  }

  void examine(const brief& one, bool sandbox) {
    auto seen = s.seen_states.find(one.id);
    if (seen != s.seen_states.end() && seen->second == one.state) return;
    s.open.insert(one.id);
    emit(inspect{sandbox, one.id});
  }

  template <class Map>
  void drop_missing(Map& known, const std::vector<brief>& listed) {
    std::set<std::string> there;
    for (auto& one : listed) there.insert(one.id);
    for (auto at = known.begin(); at != known.end();) {
      if (there.contains(at->first)) {
        ++at;
        continue;
      }
      s.seen_states.erase(at->first);
      s.news[pod_of(at->second)].gone.push_back(at->first);
      at = known.erase(at);
    }
  }
  static const std::string& pod_of(const container::sandbox_status& x) { return x.uid; }
  static const std::string& pod_of(const container::container_status& x) { return x.pod_uid; }

  void drop_what_is_gone() {
    drop_missing(s.sandboxes, s.listed.sandboxes);
    drop_missing(s.containers, s.listed.containers);
  }

  const brief* listed_as(const std::vector<brief>& all, const std::string& id) const {
    auto found = std::find_if(all.begin(), all.end(), [&](auto& one) { return one.id == id; });
    return found == all.end() ? nullptr : &*found;
  }

  /// What was gone before it could be inspected shows in the next round.
  bool inspected(const std::string& id, const container::failure& error) {
    if (s.round != stage::inspecting || s.open.erase(id) == 0) return false;
    if (!error.ok() && error.code != container::fault::not_found) s.round_error = error;
    if (!error.ok()) s.again = true;
    return error.ok();
  }

  void on(const sandbox_seen& e) {
    auto* listed = listed_as(s.listed.sandboxes, e.id);
    if (inspected(e.id, e.error) && listed) {
      s.sandboxes[e.id] = e.status;
      s.seen_states[e.id] = listed->state;
      s.news[e.status.uid].sandboxes.push_back(e.status);
    }
    if (s.round == stage::inspecting && s.open.empty()) end_round(s.round_error);
  }

  void on(const container_seen& e) {
    auto* listed = listed_as(s.listed.containers, e.id);
    if (inspected(e.id, e.error) && listed) {
      auto& kept = s.containers[e.id];
      kept = e.status;
      kept.sandbox_id = listed->sandbox_id;
      s.seen_states[e.id] = listed->state;
      s.news[kept.pod_uid].containers.push_back(kept);
    }
    if (s.round == stage::inspecting && s.open.empty()) end_round(s.round_error);
  }

  void end_round(const container::failure& error) {
    s.round = stage::idle;
    s.open.clear();
    bool back = s.away && error.ok();
    s.away = !error.ok();
    s.look_due_ms = now_ms + (s.away ? away_period_ms : !s.wanted.empty() ? 0 : s.again ? again_ms : look_period_ms);
    if (error.ok()) {
      if (s.known)
        for (auto& [uid, what] : s.news) emit(publish{uid, std::move(what)});
      s.news.clear();
      if (back) emit(publish_lost{});
      s.known = true;
    }
    for (auto token : s.served) emit(give_list{token, error});
    s.served.clear();
  }

  void sync() {
    if (s.round == stage::idle && s.look_due_ms <= now_ms) begin_round();
    if (s.round != stage::idle || (s.wake_ms != 0 && s.wake_ms <= s.look_due_ms)) return;
    s.wake_ms = s.look_due_ms;
    emit(wake{s.look_due_ms});
  }
};

}  // namespace

effects step(driver_state& s, const event& e) {
  return std::visit(
      [&](auto& what) {
        turn t{s, what.now_ms, {}};
        t.on(what);
        t.sync();
        return std::move(t.out);
      },
      e);
}

container::pod_list picture(const driver_state& s, const std::string& pod_uid) {
  container::pod_list out;
  for (auto& [id, one] : s.sandboxes)
    if (pod_uid.empty() || one.uid == pod_uid) out.sandboxes.push_back(one);
  for (auto& [id, one] : s.containers)
    if (pod_uid.empty() || one.pod_uid == pod_uid) out.containers.push_back(one);
  return out;
}

}  // namespace troupe::cri
