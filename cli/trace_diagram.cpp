// `troupe trace diagram`: one object's way through the troupe as a sequence diagram, with the time each hop took.
#include <algorithm>
#include <iostream>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/kubectl/kubectl.hpp"
#include "runtime/trace/story.hpp"

namespace troupe::cli {
namespace {

// Lifelines stand in this order, from the client inwards and on to the node; further ones come behind.
constexpr std::string_view usual_order[] = {"client", "gateway", "api_server", "store", "cacher", "scheduler"};
constexpr std::size_t lane_width = 11;

bool parse(const std::string& text, trace::story_subject& out) {
  auto first = text.find('/');
  if (first == std::string::npos) return false;
  const auto* resource = find_resource_by_any_name(text.substr(0, first));
  if (!resource) return false;
  out.resource = resource->plural;
  if (!resource->group.empty()) out.resource.append(".").append(resource->group);
  out.namespace_name = resource->namespaced ? "default" : "";
  auto second = text.find('/', first + 1);
  if (second != std::string::npos) out.namespace_name = text.substr(first + 1, second - first - 1);
  out.name = text.substr(second == std::string::npos ? first + 1 : second + 1);
  return !out.name.empty();
}

std::vector<std::string> lanes_of(const trace::story_part& part) {
  std::vector<std::string> lanes;
  auto add = [&](const std::string& who) {
    if (!who.empty() && std::find(lanes.begin(), lanes.end(), who) == lanes.end()) lanes.push_back(who);
  };
  for (const auto& line : part.lines) {
    add(line.from);
    add(line.to);
  }
  auto rank = [](const std::string& who) {
    auto found = std::find(std::begin(usual_order), std::end(usual_order), who);
    if (found == std::end(usual_order)) return who == "runtime" ? 100l : 50l;
    return static_cast<long>(found - std::begin(usual_order));
  };
  std::stable_sort(lanes.begin(), lanes.end(),
                   [&](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
  return lanes;
}

std::string heads(const std::vector<std::string>& lanes) {
  std::string out;
  for (const auto& lane : lanes) out += fmt::format("{:<{}}", lane.substr(0, lane_width - 1), lane_width);
  return out;
}

// "|          o--------->|          |": an arrow between two lifelines, or a star on one.
std::string arrow(const std::vector<std::string>& lanes, const trace::story_line& line) {
  std::string out(lanes.size() * lane_width, ' ');
  for (std::size_t i = 0; i < lanes.size(); ++i) out[i * lane_width] = '|';
  auto column = [&](const std::string& who) {
    return static_cast<std::size_t>(std::find(lanes.begin(), lanes.end(), who) - lanes.begin()) * lane_width;
  };
  auto from = column(line.from);
  auto to = line.to.empty() ? from : column(line.to);
  if (from == to) {
    out[from] = '*';
    return out;
  }
  for (auto at = std::min(from, to) + 1; at < std::max(from, to); ++at) out[at] = '-';
  out[from] = 'o';
  out[to < from ? to + 1 : to - 1] = to < from ? '<' : '>';
  return out;
}

double ms(std::uint64_t us) { return static_cast<double>(us) / 1000.0; }

// Each line's "took" is the time since the line above, so that they add up to the part's whole.
void draw(const trace::story_part& part, std::uint64_t origin) {
  auto lanes = lanes_of(part);
  std::cout << "\n"
            << part.title << "\n"
            << fmt::format("{:>12} {:>12}   ", "at ms", "took ms") << heads(lanes) << "\n";
  auto last = part.begin_us;
  for (const auto& line : part.lines) {
    auto at = line.time_us > origin ? line.time_us - origin : 0;
    std::cout << fmt::format("{:>12.3f} {:>12.3f}   {} {}\n", ms(at), ms(line.time_us - last), arrow(lanes, line),
                             line.what);
    last = line.time_us;
  }
  std::cout << fmt::format("{:>12} {:>12.3f}   in all\n", "", ms(part.end_us() - part.begin_us));
}

}  // namespace

int draw_diagram(const std::string& path, const std::string& object) {
  trace::story_subject about;
  if (!parse(object, about))
    return print_error("name an object as KIND/NAME or KIND/NAMESPACE/NAME, not \"" + object + "\"");
  auto told = trace::tell_story(path, about);
  if (!told)
    return print_error(told.error().why == reason::not_found ? "the trace has nothing about " + object
                                                             : told.error().message);
  if (told->parts.empty()) return print_error("the trace has no change of " + object);
  std::cout << told->resource << " " << (told->namespace_name.empty() ? "" : told->namespace_name + "/") << told->name
            << " uid " << told->uid << "\n";
  auto origin = told->parts.front().begin_us;
  for (const auto& part : told->parts) draw(part, origin);
  std::cout << fmt::format("\ncreated in {:.3f} ms, from the request's arrival to its answer\n",
                           ms(told->created_in_us));
  if (told->running_in_us > 0)
    std::cout << fmt::format("running in {:.3f} ms, from the request's arrival to the event that shows it\n",
                             ms(told->running_in_us));
  return 0;
}

}  // namespace troupe::cli
