// One pass over a trace: runs begin at state frames, events are fed as they come, effects compared as they come.
#include "runtime/trace/replay.hpp"

#include <algorithm>
#include <optional>

namespace troupe::trace {

namespace {

/// One incarnation under way.
struct run {
  const replayable* how = nullptr;
  std::unique_ptr<revived_core> core;
  std::uint64_t incarnation = 0;
  std::uint64_t seq = 0;  // of the last event fed
  std::string event;      // its name
  std::uint64_t fed = 0;
  std::vector<packed_value> got;
  std::size_t compared = 0;
  std::string threw;  // the core did, at the last event
};

class replayer {
 public:
  replayer(reader& source, const replay_registry& cores, const replay_options& options)
      : source_(source), cores_(cores), options_(options) {}

  void take(const frame& one) {
    switch (one.kind) {
      case frame_kind::opening:
        return begin_segment(one);
      case frame_kind::dropped:
        return lose_all("frames of the trace were dropped");
      case frame_kind::state:
        return wanted(one) ? begin(one) : void();
      case frame_kind::event:
        return wanted(one) ? feed(one) : void();
      case frame_kind::effect:
        return wanted(one) ? compare(one) : void();
      default:
        return;
    }
  }

  replay_report finish() {
    end_all(source_.truncated() != cut_before_);
    replay_report out;
    out.truncated = source_.truncated();
    if (!source_.error().ok()) out.problem = source_.error().message;
    for (auto& [path, one] : reports_) out.components.push_back(std::move(one));
    return out;
  }

 private:
  bool wanted(const frame& one) const {
    return options_.component.empty() || one.component.find(options_.component) != std::string::npos;
  }

  component_report& report_of(const std::string& path) {
    auto& one = reports_[path];
    one.component = path;
    return one;
  }

  /// Segments of another process: nothing that ran goes on.
  void begin_segment(const frame& opening) {
    bool cut = source_.truncated() != cut_before_;
    cut_before_ = source_.truncated();
    if (process_ && *process_ == opening.wall_ms && !cut) return;
    if (process_) end_all(cut);
    process_ = opening.wall_ms;
  }

  void begin(const frame& state) {
    auto& report = report_of(state.component);
    report.core = state.core;
    auto found = runs_.find(state.component);
    bool fresh = state.seq == 0;
    if (found != runs_.end()) {
      if (!fresh && state.incarnation == found->second.incarnation) return;  // once more in the next segment
      end(state.component, found->second, false);
      runs_.erase(found);
    }
    if (!fresh && state.bytes.empty()) return;  // its events are counted as skipped
    const auto* how = cores_.find(state.core);
    if (!how) {
      report.why_skipped = "no replay is known for " + (state.core.empty() ? "this core" : "core " + state.core);
      return;
    }
    if (state.layout != how->layout->fingerprint) {
      if (report.problem.empty())
        report.problem = "the events and effects of " + state.core +
                         " have changed since this trace was recorded: record it anew" + changed_names(state, *how);
      return;
    }
    run next;
    next.how = how;
    next.core = how->revive(state.bytes);
    next.incarnation = state.incarnation;
    next.seq = state.seq;
    if (!next.core) {
      if (report.problem.empty()) report.problem = "the settings recorded for " + state.core + " cannot be read";
      return;
    }
    ++report.incarnations;
    runs_[state.component] = std::move(next);
  }

  /// The first name that is not what it was; empty when only fields changed.
  std::string changed_names(const frame& state, const replayable& how) const {
    const auto* was = source_.layout(state.layout);
    if (!was) return {};
    auto compare_lists = [](const std::vector<std::string>& then, const std::vector<std::string>& now) -> std::string {
      for (std::size_t i = 0; i < std::max(then.size(), now.size()); ++i) {
        auto before = i < then.size() ? then[i] : "nothing", after = i < now.size() ? now[i] : "nothing";
        if (before != after) return " (" + before + " then, " + after + " now)";
      }
      return {};
    };
    auto found = compare_lists(was->events, how.layout->events);
    return found.empty() ? compare_lists(was->effects, how.layout->effects) : found;
  }

  void feed(const frame& event) {
    auto& report = report_of(event.component);
    auto found = runs_.find(event.component);
    if (found == runs_.end() || found->second.incarnation != event.incarnation) {
      if (!report.problem.empty()) return;  // behind the first difference
      ++report.skipped;
      if (report.why_skipped.empty()) report.why_skipped = "the beginning is not in the trace";
      return;
    }
    auto& current = found->second;
    if (!finish_step(report, current, true)) return drop(event.component);
    if (event.seq != current.seq + 1)
      return differ(
          event.component, current,
          "events " + std::to_string(current.seq + 1) + " to " + std::to_string(event.seq - 1) + " are missing");
    current.seq = event.seq;
    current.event = source_.name_of(event);
    ++current.fed;
    ++report.events;
    try {
      resolving_scope resolving([this](const object_reference& it) { return source_.find(it); });
      if (!current.core->step({event.alternative, event.bytes}, current.got))
        differ(event.component, current, "the recorded event cannot be read");
    } catch (const std::exception& thrown) {
      current.threw = thrown.what();
    }
  }

  void compare(const frame& effect) {
    auto found = runs_.find(effect.component);
    if (found == runs_.end()) return;
    auto& current = found->second;
    if (current.incarnation != effect.incarnation || current.seq != effect.seq) return;
    auto at = current.compared++;
    auto place = "effect " + std::to_string(at + 1) + ": recorded " + source_.name_of(effect) + " " +
                 describe_bytes(effect.bytes) + ", got ";
    if (!current.threw.empty()) return differ(effect.component, current, place + "the exception " + current.threw);
    if (at >= current.got.size()) return differ(effect.component, current, place + "nothing");
    packed_value recorded{effect.alternative, effect.bytes};
    if (!(recorded == current.got[at]))
      return differ(effect.component, current, place + describe(current, current.got[at]));
    ++report_of(effect.component).effects;
  }

  static std::string describe(const run& of, const packed_value& effect) {
    const auto& names = of.how->layout->effects;
    auto name = effect.alternative < names.size() ? names[effect.alternative] : std::string("?");
    return name + " " + describe_bytes(effect.bytes);
  }

  /// The last event's frames are complete (or cut off, then what is missing says nothing). False: it differed.
  bool finish_step(component_report& report, run& current, bool goes_on, bool cut = false) {
    std::string problem;
    if (!cut && current.compared < current.got.size())
      problem = "effect " + std::to_string(current.compared + 1) + ": recorded nothing, got " +
                describe(current, current.got[current.compared]);
    // A core that threw then throws now, and has no further event.
    if (goes_on && !current.threw.empty()) problem = "the core throws " + current.threw;
    current.got.clear();
    current.compared = 0;
    if (problem.empty()) return true;
    note(report, current, problem);
    return false;
  }

  void note(component_report& report, const run& current, const std::string& problem) {
    if (!report.problem.empty()) return;
    report.problem = "incarnation " + std::to_string(current.incarnation) + ", event " + std::to_string(current.seq) +
                     " (" + current.event + "), " + problem;
    report.bad_event = current.seq;
  }

  void differ(const std::string& component, run& current, const std::string& problem) {
    note(report_of(component), current, problem);
    drop(component);
  }
  void drop(const std::string& component) { runs_.erase(component); }

  void end(const std::string& component, run& current, bool cut) {
    finish_step(report_of(component), current, false, cut);
  }
  void end_all(bool cut) {
    for (auto& [component, current] : runs_) end(component, current, cut);
    runs_.clear();
  }
  void lose_all(const std::string& why) {
    for (auto& [component, current] : runs_) {
      end(component, current, true);  // its last effects may be among what is lost
      report_of(component).why_skipped = why;
    }
    runs_.clear();
  }

  reader& source_;
  const replay_registry& cores_;
  const replay_options& options_;
  std::map<std::string, component_report> reports_;
  std::map<std::string, run> runs_;
  std::optional<std::uint64_t> process_;
  bool cut_before_ = false;
};

}  // namespace

const replayable* replay_registry::find(const std::string& core) const {
  auto found = cores_.find(core);
  return found == cores_.end() ? nullptr : &found->second;
}

bool replay_report::matched() const {
  bool compared = false;
  for (const auto& one : components) {
    if (!one.problem.empty()) return false;
    compared = compared || one.events > 0;
  }
  return compared && problem.empty();
}

replay_report replay(const std::string& path, const replay_registry& cores, const replay_options& options) {
  auto source = reader::open(path);
  if (!source) {
    replay_report out;
    out.problem = source.error().message;
    return out;
  }
  replayer all(*source, cores, options);
  frame next;
  while (source->next(next)) all.take(next);
  return all.finish();
}

}  // namespace troupe::trace
