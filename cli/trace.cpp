// `troupe trace`: what each component heard and did, and one object's way through the troupe.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <set>

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/kubectl/kubectl.hpp"
#include "runtime/placement/replays.hpp"
#include "runtime/trace/reader.hpp"
#include "runtime/trace/replay.hpp"

namespace troupe::cli {
namespace {

struct trace_flags {
  std::string path;
  std::string component;
  std::string object;
  bool full = false;
};

std::string default_path(const trace_flags& given) {
  if (!given.path.empty()) return given.path;
  const char* home = std::getenv("HOME");
  return std::string(home ? home : ".") + "/.troupe/trace";
}

const char* kind_name(trace::frame_kind kind) {
  constexpr const char* names[] = {"opening", "state", "object", "event", "effect", "dropped", "hop", "layout"};
  return names[static_cast<std::size_t>(kind)];
}

std::string causes_of(const trace::frame& one) {
  std::string text;
  for (const auto& cause : one.causes)
    text += fmt::format("{}{} {}{}{}", text.empty() ? " <- " : ", ", cause.kind, cause.actor,
                        cause.actor.empty() ? "" : " ", cause.number);
  return text;
}

// What a frame says beyond its time, kind and component.
std::string content_of(const trace::reader& from, const trace::frame& one, std::size_t most) {
  switch (one.kind) {
    case trace::frame_kind::opening:
      return fmt::format("troupe {} format={} began={} {}", one.program, one.version, one.wall_ms, one.bytes);
    case trace::frame_kind::state:
      return fmt::format(" incarnation={} #{} core={} {} bytes", one.incarnation, one.seq, one.core, one.bytes.size());
    case trace::frame_kind::event:
    case trace::frame_kind::effect:
      return fmt::format(" #{} {} {}{}", one.seq, from.name_of(one), trace::describe_bytes(one.bytes).substr(0, most),
                         causes_of(one));
    case trace::frame_kind::object:
      return fmt::format("{} {}/{} uid={} revision={}", one.resource, one.namespace_name, one.name, one.uid,
                         one.revision);
    case trace::frame_kind::hop: {
      auto text = fmt::format(" {} {}", one.what, one.name);
      if (one.revision > 0) text += fmt::format(" revision={}", one.revision);
      for (const auto& [what, when] : one.marks)
        text += fmt::format(" {}=+{}us", what, when > one.time_us ? when - one.time_us : 0);
      return text + causes_of(one);
    }
    case trace::frame_kind::dropped:
      return fmt::format("{} steps or hops", one.count);
    case trace::frame_kind::layout:
      return fmt::format("{} events, {} effects", one.event_names.size(), one.effect_names.size());
  }
  return {};
}

int show(const trace_flags& given) {
  auto opened = trace::reader::open(default_path(given));
  if (!opened) return print_error(opened.error().message);
  trace::frame one;
  while (opened->next(one)) {
    if (!given.component.empty() && one.component.find(given.component) == std::string::npos) continue;
    std::cout << fmt::format("{:>14} {:8} {}", one.time_us, kind_name(one.kind), one.component)
              << content_of(*opened, one, given.full ? std::string::npos : 200) << "\n";
  }
  if (!opened->error().ok()) return print_error(opened->error().message);
  if (opened->truncated()) std::cerr << "troupe: a segment ends in the middle of a frame, as one still being written\n";
  return 0;
}

void print_component(const trace::component_report& one, std::size_t width) {
  auto line = fmt::format("{:<{}}  ", one.component, width);
  if (one.incarnations > 0)
    line +=
        fmt::format("{} incarnation{}, {} events, {} effects: {}", one.incarnations, one.incarnations == 1 ? "" : "s",
                    one.events, one.effects, one.problem.empty() ? "match" : "DIFFERENT");
  if (!one.why_skipped.empty())
    line += fmt::format("{}{} events not replayed: {}", one.incarnations > 0 ? "; " : "", one.skipped, one.why_skipped);
  std::cout << line << "\n";
  if (!one.problem.empty()) std::cout << "    " << one.problem << "\n";
}

// Sums by core, since a node has a core for each pod.
void print_totals(const trace::replay_report& report) {
  struct sum {
    std::uint64_t components = 0, incarnations = 0, events = 0, effects = 0, different = 0;
  };
  std::map<std::string, sum> by_core;
  for (const auto& one : report.components) {
    if (one.incarnations == 0 && one.problem.empty()) continue;
    auto& to = by_core[one.core];
    ++to.components;
    to.incarnations += one.incarnations;
    to.events += one.events;
    to.effects += one.effects;
    to.different += !one.problem.empty();
  }
  for (const auto& [core, total] : by_core)
    std::cout << fmt::format("{:<40} {:>5} components {:>5} incarnations {:>8} events {:>8} effects  {}\n", core,
                             total.components, total.incarnations, total.events, total.effects,
                             total.different == 0 ? "full match" : fmt::format("{} DIFFERENT", total.different));
}

int replay(const trace_flags& given) {
  auto report = trace::replay(default_path(given), runtime::replayable_cores(), {given.component});
  std::size_t width = 0;
  for (const auto& one : report.components) width = std::max(width, one.component.size());
  for (const auto& one : report.components) print_component(one, width);
  print_totals(report);
  if (report.truncated) std::cout << "a segment ends in the middle of a frame; replayed up to there\n";
  if (!report.problem.empty()) return print_error(report.problem);
  if (report.matched()) return 0;
  bool any = std::any_of(report.components.begin(), report.components.end(),
                         [](const auto& one) { return !one.problem.empty(); });
  return print_error(any ? "the replay differs from what was recorded" : "nothing in the trace could be replayed");
}

}  // namespace

void add_trace(CLI::App& app, int& exit_code) {
  auto given = std::make_shared<trace_flags>();
  auto* trace = app.add_subcommand("trace", "Look at recorded events and effects");
  trace->require_subcommand(1);
  auto* shown = trace->add_subcommand("show", "Print the frames of a trace");
  shown->add_option("path", given->path, "segment file or directory; ~/.troupe/trace");
  shown->add_option("--component", given->component, "only components whose path has this in it");
  shown->add_flag("--full", given->full, "do not shorten");
  shown->callback([given, &exit_code] { exit_code = show(*given); });
  auto* replayed = trace->add_subcommand("replay", "Run the recorded events through fresh cores, compare every effect");
  replayed->add_option("path", given->path, "segment file or directory; ~/.troupe/trace");
  replayed->add_option("--component", given->component, "only components whose path has this in it");
  replayed->callback([given, &exit_code] { exit_code = replay(*given); });
  auto* drawn = trace->add_subcommand("diagram", "Draw one object's life as a sequence of hops");
  drawn->add_option("object", given->object, "KIND/NAME or KIND/NAMESPACE/NAME, as pod/nginx")->required();
  drawn->add_option("--trace", given->path, "segment file or directory; ~/.troupe/trace");
  drawn->callback([given, &exit_code] { exit_code = draw_diagram(default_path(*given), given->object); });
}

}  // namespace troupe::cli
