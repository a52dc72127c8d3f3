// Collecting a recorded run and comparing effects.
#include "runtime/trace/replay.hpp"

#include <map>

namespace troupe::trace {

namespace {

std::string describe(const packed_value& value) {
  return "alternative " + std::to_string(value.alternative) + " " + describe_bytes(value.bytes);
}

/// Takes up the frames of one component.
class run_collector {
 public:
  run_collector(std::string component, std::uint64_t incarnation)
      : component_(std::move(component)), wanted_(incarnation) {}

  void take(const frame& next) {
    if (next.kind == frame_kind::dropped) {
      // Effects may be among what is lost, which no gap would show: only a later state helps.
      lost_ = true;
      begun_ = false;
    }
    if (next.component != component_ || (wanted_ != 0 && next.incarnation != wanted_)) return;
    if (next.kind == frame_kind::state) begin(next);
    if (next.kind == frame_kind::event) add_event(next);
    if (next.kind == frame_kind::effect && !run_.steps.empty() && run_.steps.back().event.seq == next.seq)
      run_.steps.back().effects.push_back({next.alternative, next.bytes});
  }

  result<recorded_run> finish() {
    if (run_.incarnation == 0) return bad_request("the trace has no steps of " + component_);
    if (!problem_.empty()) return bad_request(problem_);
    if (!begun_ && lost_)
      return bad_request("frames of the trace were dropped, and " + component_ + " has no later state");
    if (!begun_) return bad_request("the beginning of " + component_ + " is not in the trace");
    return std::move(run_);
  }

  /// The trace ends in the middle: the last step's effects may be incomplete.
  void cut_last_step() {
    if (!run_.steps.empty()) run_.steps.pop_back();
  }

 private:
  void begin(const frame& state) {
    // Incarnations count from 1 in each process, so a state before any event also begins a new run.
    bool fresh = state.incarnation != run_.incarnation || state.seq == 0;
    if (fresh) {
      run_ = recorded_run{};
      run_.incarnation = state.incarnation;
      problem_.clear();
      lost_ = false;
      begun_ = false;
    }
    // Later states of the same run are not needed, unless its beginning is lost.
    if (begun_) return;
    if (state.seq != 0 && state.bytes.empty()) return;
    begun_ = true;
    lost_ = false;
    run_.state = state.bytes;
    problem_.clear();
    next_seq_ = state.seq + 1;
    run_.steps.clear();
  }

  void add_event(const frame& event) {
    if (event.incarnation != run_.incarnation) begin_without_state(event);
    if (begun_ && event.seq != next_seq_ && problem_.empty())
      problem_ = "events " + std::to_string(next_seq_) + " to " + std::to_string(event.seq - 1) + " of " + component_ +
                 " are missing";
    next_seq_ = event.seq + 1;
    run_.steps.push_back({event, {}});
  }

  void begin_without_state(const frame& event) {
    run_ = recorded_run{};
    run_.incarnation = event.incarnation;
    problem_.clear();
    begun_ = false;
  }

  std::string component_;
  std::uint64_t wanted_;
  recorded_run run_;
  std::uint64_t next_seq_ = 1;
  bool begun_ = false;
  bool lost_ = false;
  std::string problem_;
};

}  // namespace

result<recorded_run> collect_run(reader& from, const std::string& component, std::uint64_t incarnation) {
  run_collector collector(component, incarnation);
  frame next;
  while (from.next(next)) collector.take(next);
  if (!from.error().ok()) return from.error();
  if (from.truncated()) collector.cut_last_step();
  return collector.finish();
}

result<std::vector<std::pair<std::string, std::uint64_t>>> recorded_components(const std::string& path) {
  auto source = reader::open(path);
  if (!source) return source.error();
  std::map<std::string, std::uint64_t> last;
  frame next;
  while (source->next(next))
    if (next.kind == frame_kind::event) last[next.component] = next.incarnation;
  if (!source->error().ok()) return source->error();
  return std::vector<std::pair<std::string, std::uint64_t>>(last.begin(), last.end());
}

namespace detail {

std::string compare_effects(const recorded_step& recorded, const std::vector<packed_value>& got) {
  auto at = [&](std::size_t i) {
    return "event " + std::to_string(recorded.event.seq) + " (alternative " +
           std::to_string(recorded.event.alternative) + "), effect " + std::to_string(i + 1) + ": ";
  };
  for (std::size_t i = 0; i < recorded.effects.size(); ++i) {
    if (i >= got.size()) return at(i) + "recorded " + describe(recorded.effects[i]) + ", got nothing";
    if (!(recorded.effects[i] == got[i]))
      return at(i) + "recorded " + describe(recorded.effects[i]) + ", got " + describe(got[i]);
  }
  if (got.size() > recorded.effects.size())
    return at(recorded.effects.size()) + "recorded nothing, got " + describe(got[recorded.effects.size()]);
  return {};
}

}  // namespace detail

}  // namespace troupe::trace
