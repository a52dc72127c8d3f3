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
#include "runtime/trace/reader.hpp"

namespace troupe::cli {
namespace {

struct flags {
  std::string path;
  std::string component;
  std::string object;
  bool bytes = false;
};

std::string default_path(const flags& given) {
  if (!given.path.empty()) return given.path;
  const char* home = std::getenv("HOME");
  return std::string(home ? home : ".") + "/.troupe/trace";
}

// msgpack as text, binary data as its size.
std::string readable(const std::string& bytes) {
  try {
    auto value = msgpack::unpack(bytes.data(), bytes.size());
    std::ostringstream out;
    out << value.get();
    return out.str();
  } catch (const std::exception&) {
    return fmt::format("({} bytes)", bytes.size());
  }
}

const char* kind_name(trace::frame_kind kind) {
  constexpr const char* names[] = {"opening", "state", "object", "event", "effect", "dropped", "hop"};
  return names[static_cast<std::size_t>(kind)];
}

int show(const flags& given) {
  auto opened = trace::reader::open(default_path(given));
  if (!opened) return print_error(opened.error().message);
  trace::frame one;
  while (opened->next(one)) {
    if (!given.component.empty() && one.component.find(given.component) == std::string::npos) continue;
    std::cout << fmt::format("{:>14} {:8} {}", one.time_us, kind_name(one.kind), one.component);
    switch (one.kind) {
      case trace::frame_kind::event:
      case trace::frame_kind::effect:
        std::cout << fmt::format(" #{} alternative={} {}", one.seq, one.alternative,
                                 readable(one.bytes).substr(0, given.bytes ? std::string::npos : 200));
        break;
      case trace::frame_kind::object:
        std::cout << fmt::format("{} {}/{} revision={}", one.resource, one.namespace_name, one.name, one.revision);
        break;
      case trace::frame_kind::hop:
        std::cout << " " << one.what << " " << one.name;
        break;
      case trace::frame_kind::dropped:
        std::cout << fmt::format("{} frames", one.count);
        break;
      default:
        break;
    }
    std::cout << "\n";
  }
  if (!opened->error().ok()) return print_error(opened->error().message);
  return 0;
}

}  // namespace

void add_trace(CLI::App& app, int& exit_code) {
  auto given = std::make_shared<flags>();
  auto* trace = app.add_subcommand("trace", "Look at recorded events and effects");
  trace->require_subcommand(1);
  auto* shown = trace->add_subcommand("show", "Print the frames of a trace");
  shown->add_option("path", given->path, "segment file or directory; ~/.troupe/trace");
  shown->add_option("--component", given->component, "only components whose path has this in it");
  shown->add_flag("--full", given->bytes, "do not shorten");
  shown->callback([given, &exit_code] { exit_code = show(*given); });
  auto* drawn = trace->add_subcommand("diagram", "Draw one object's life as a sequence of hops");
  drawn->add_option("object", given->object, "KIND/NAME or KIND/NAMESPACE/NAME, as pod/nginx")->required();
  drawn->add_option("--trace", given->path, "segment file or directory; ~/.troupe/trace");
  drawn->callback([given, &exit_code] { exit_code = draw_diagram(default_path(*given), given->object); });
}

}  // namespace troupe::cli
