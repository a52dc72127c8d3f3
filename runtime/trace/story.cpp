// Following causes through a trace.
#include "runtime/trace/story.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "runtime/trace/reader.hpp"

namespace troupe::trace {

namespace {

/// A core's step: its event, its effects that speak of the object.
struct known_step {
  std::uint64_t time_us = 0;
  std::string event;
  std::uint64_t revision = 0;  // that it hears of
  std::vector<std::string> effects;
};
using step_key = std::pair<std::string, std::uint64_t>;     // component, seq
using request_key = std::pair<std::string, std::uint64_t>;  // component, id

/// What of the trace may belong to the story.
struct evidence {
  std::vector<frame> writes;                 // of the pipeline, on the object, in order of their revisions
  std::map<request_key, frame> requests;     // of gateway and sessions
  std::map<std::uint64_t, frame> commits;    // of the store, by revision
  std::map<std::uint64_t, frame> published;  // of the cacher, by revision
  std::map<step_key, known_step> steps;
  std::vector<frame> operations;  // of the runtime, for the pod
  std::uint64_t running = 0;      // first revision at which the pod is Running
};

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= path.size();) {
    auto slash = std::min(path.find('/', at), path.size());
    parts.push_back(path.substr(at, slash - at));
    at = slash + 1;
  }
  return parts;
}

/// What people call a component: "root/api_server/worker-0" is the api_server, "root/nodes/a/kubelet/pods/UID" a
/// kubelet.
std::string who_of(const std::string& path) {
  auto parts = parts_of(path);
  if (parts.size() > 3 && parts[1] == "nodes") return parts[3];
  if (parts.size() > 2 && parts[1] == "controller_manager") return parts[2];
  if (parts.size() > 2 && parts[1] == "api_server") {
    if (parts[2].starts_with("gateway")) return "gateway";
    return parts[2].starts_with("cacher") ? "cacher" : "api_server";
  }
  return parts.size() > 1 ? parts[1] : path;
}

bool is_gateway(const std::string& path) { return who_of(path) == "gateway"; }

/// The resource of "create pods" or "patch pods/status".
std::string_view resource_in(std::string_view what) {
  auto space = what.find(' ');
  if (space == what.npos) return {};
  what.remove_prefix(space + 1);
  return what.substr(0, what.find('/'));
}

class collector {
 public:
  collector(const story_subject& about, const std::string& uid) : uid_(uid), resource_(about.resource) {
    subject_ = about.namespace_name.empty() ? about.name : about.namespace_name + "/" + about.name;
  }

  void take(const reader& from, frame& one) {
    switch (one.kind) {
      case frame_kind::hop:
        return take_hop(one);
      case frame_kind::object:
        return look_at(one);
      case frame_kind::event: {
        auto& step = found.steps[{one.component, one.seq}];
        step.time_us = one.time_us;
        step.event = from.name_of(one);
        for (const auto& cause : one.causes)
          if (cause.kind == "revision") step.revision = cause.number;
        return;
      }
      case frame_kind::effect: {
        bool mine = last_part(one.component) == uid_ || one.bytes.find(uid_) != std::string::npos;
        if (mine) found.steps[{one.component, one.seq}].effects.push_back(from.name_of(one));
        return;
      }
      default:
        return;
    }
  }

  evidence finish() {
    std::stable_sort(found.writes.begin(), found.writes.end(),
                     [](const frame& a, const frame& b) { return a.revision < b.revision; });
    return std::move(found);
  }

 private:
  void take_hop(frame& one) {
    if (one.what == "transaction") {
      found.commits.emplace(one.revision, std::move(one));
    } else if (one.what == "publish") {
      if (one.name == subject_) found.published.emplace(one.revision, std::move(one));
    } else if (!one.uid.empty() && one.component.ends_with("/runtime")) {
      if (one.uid == uid_) found.operations.push_back(std::move(one));
    } else if (one.what.find(" /") != std::string::npos) {
      found.requests[{one.component, one.id}] = std::move(one);
    } else if (one.name == subject_ && one.revision > 0 && resource_in(one.what) == resource_) {
      if (one.uid.empty() || one.uid == uid_) found.writes.push_back(std::move(one));
    }
  }

  void look_at(const frame& one) {
    if (one.uid != uid_ || one.bytes.find("\"phase\":\"Running\"") == std::string::npos) return;
    if (found.running == 0 || one.revision < found.running) found.running = one.revision;
  }

  std::string uid_, resource_, subject_;
  evidence found;
};

/// Puts the lines of the parts together.
class teller {
 public:
  teller(evidence from, const std::string& uid) : from_(std::move(from)), uid_(uid) {}

  void tell(story& out) {
    if (from_.writes.empty()) return;
    const auto& creation = from_.writes.front();
    auto begin = client_of(creation) ? client_of(creation)->time_us : creation.time_us;
    out.parts.push_back(creation_part(creation, begin));
    out.created_in_us = out.parts.back().end_us() - begin;
    std::set<std::uint64_t> told = {creation.revision};
    if (from_.running > 0) {
      story_part way;
      way.title = "on to Running";
      if (way_to(from_.running, creation, way, told)) {
        out.running_in_us = way.end_us() - begin;
        out.parts.push_back(std::move(way));
      }
    }
    for (const auto& write : from_.writes) {
      if (!told.insert(write.revision).second) continue;
      story_part more;
      more.title = write.what + (client_of(write) ? " for " + who_of(client_of(write)->component) : std::string());
      add_request(write, more, true);
      out.parts.push_back(arrange(std::move(more)));
    }
  }

 private:
  /// The request as its client sees it; null when that is not recorded.
  const frame* client_of(const frame& write) const {
    for (const auto& cause : write.causes) {
      auto found = from_.requests.find({cause.actor, cause.number});
      if (cause.kind == "request" && found != from_.requests.end()) return &found->second;
    }
    return nullptr;
  }
  std::string asker_of(const frame& write) const {
    return write.causes.empty() || write.causes[0].actor.empty() ? "a client" : who_of(write.causes[0].actor);
  }

  story_part creation_part(const frame& creation, std::uint64_t begin) const {
    story_part part;
    auto* client = client_of(creation);
    bool outside = client && is_gateway(client->component);
    part.title = "created by " + (outside ? std::string("a client of the API") : asker_of(creation));
    part.begin_us = begin;
    add_request(creation, part, true);
    return arrange(std::move(part));
  }

  /// In order of time; what began before the part is left out.
  static story_part arrange(story_part part) {
    std::stable_sort(part.lines.begin(), part.lines.end(),
                     [](const story_line& a, const story_line& b) { return a.time_us < b.time_us; });
    if (part.begin_us == 0 && !part.lines.empty()) part.begin_us = part.lines.front().time_us;
    std::erase_if(part.lines, [&](const story_line& one) { return one.time_us < part.begin_us; });
    return part;
  }

  /// The lines of one request: client, pipeline, store; with the answer's way back only when that is wanted.
  void add_request(const frame& write, story_part& into, bool answer) const {
    auto* client = client_of(write);
    auto asker = asker_of(write);
    auto& lines = into.lines;
    std::uint64_t until = ~std::uint64_t{0};
    auto commit = from_.commits.find(write.revision);
    if (!answer && commit != from_.commits.end()) until = moment(commit->second, "durable", "replied");
    auto add = [&](std::uint64_t at, std::string from, std::string to, std::string what) {
      if (at <= until) lines.push_back({at, std::move(from), std::move(to), std::move(what)});
    };
    if (client && is_gateway(client->component)) {
      add(client->time_us, "client", "gateway", client->what);
      for (const auto& [what, when] : client->marks) {
        if (what == "sent") add(when, "gateway", "api_server", "authenticated by its certificate, passed on");
        if (what.starts_with("answered")) add(when, "api_server", "gateway", "the answer is there");
        if (what == "written") add(when, "gateway", "client", "the answer is written");
      }
    } else if (client) {
      add(client->time_us, asker, "api_server", client->what);
      for (const auto& [what, when] : client->marks) add(when, "api_server", asker, what);
    }
    add(write.time_us, "api_server", {}, last_part(write.component) + " takes it up: " + write.what);
    for (const auto& [what, when] : write.marks) {
      if (what == "transaction sent")
        add(when, "api_server", "store", what);
      else if (what == "committed")
        add(when, "api_server", {}, "the store's answer is taken up");
      else
        add(when, "api_server", {}, what);
    }
    if (commit != from_.commits.end()) add_commit(commit->second, add);
  }

  template <class Add>
  void add_commit(const frame& commit, Add&& add) const {
    auto revision = "revision " + std::to_string(commit.revision);
    add(commit.time_us, "store", {}, "takes it up");
    for (const auto& [what, when] : commit.marks) {
      if (what == "enqueued") add(when, "store", {}, revision + " queued for the log");
      if (what == "durable") add(when, "store", {}, revision + " is durable");
      if (what == "replied") add(when, "store", "api_server", revision);
    }
  }

  static std::uint64_t moment(const frame& hop, std::string_view first, std::string_view second) {
    for (auto wanted : {first, second})
      for (const auto& [what, when] : hop.marks)
        if (what == wanted) return when;
    return hop.time_us;
  }

  const frame* write_at(std::uint64_t revision) const {
    for (const auto& write : from_.writes)
      if (write.revision == revision) return &write;
    return nullptr;
  }

  void add_published(std::uint64_t revision, story_part& into) const {
    auto found = from_.published.find(revision);
    if (found == from_.published.end()) return;
    auto& lines = into.lines;
    lines.push_back({found->second.time_us, "store", "cacher", "revision " + std::to_string(revision)});
    for (const auto& [what, when] : found->second.marks) {
      if (what == "published") lines.push_back({when, "cacher", {}, "readable"});
      if (what == "sent") lines.push_back({when, "cacher", {}, "sent to its watchers"});
    }
  }

  /// The chain of causes that led from the creation to the revision, written in order. False: it has a gap.
  bool way_to(std::uint64_t revision, const frame& creation, story_part& way, std::set<std::uint64_t>& told) const {
    std::vector<std::uint64_t> chain = {revision};
    while (chain.back() != creation.revision) {
      auto before = heard_before(chain.back());
      if (before == 0 || before >= chain.back()) return false;
      chain.push_back(before);
    }
    std::reverse(chain.begin(), chain.end());
    auto commit = from_.commits.find(creation.revision);
    way.begin_us = commit != from_.commits.end() ? moment(commit->second, "durable", "replied") : creation.time_us;
    add_published(creation.revision, way);
    for (std::size_t i = 1; i < chain.size(); ++i) {
      const auto& write = *write_at(chain[i]);
      add_steps(write, chain[i - 1], way);
      add_request(write, way, false);
      add_published(chain[i], way);
      told.insert(chain[i]);
    }
    way = arrange(std::move(way));
    // The end is when the last revision was sent to its watchers.
    auto last = from_.published.find(revision);
    if (last != from_.published.end()) {
      auto end = moment(last->second, "sent", "published");
      std::erase_if(way.lines, [&](const story_line& one) { return one.time_us > end; });
    }
    return true;
  }

  /// The step that wanted the write, if its client recorded one.
  const cause* step_behind(const frame& write) const {
    auto* client = client_of(write);
    if (!client) return nullptr;
    for (const auto& cause : client->causes)
      if (cause.kind == "step") return &cause;
    return nullptr;
  }

  /// The newest of the object's revisions that the component behind the write had heard of.
  std::uint64_t heard_before(std::uint64_t revision) const {
    const auto* write = write_at(revision);
    const auto* behind = write ? step_behind(*write) : nullptr;
    if (!behind) return 0;
    std::uint64_t heard = 0;
    for (auto step = from_.steps.lower_bound({behind->actor, 0});
         step != from_.steps.end() && step->first.first == behind->actor && step->first.second <= behind->number;
         ++step)
      if (step->second.revision < revision && write_at(step->second.revision))
        heard = std::max(heard, step->second.revision);
    return heard;
  }

  /// What the component behind the write did from hearing of `heard` to wanting it.
  void add_steps(const frame& write, std::uint64_t heard, story_part& into) const {
    const auto* behind = step_behind(write);
    if (!behind) return;
    auto who = who_of(behind->actor);
    bool own = last_part(behind->actor) == uid_;  // a worker of this pod: all it does is the pod's
    std::uint64_t from_us = 0, to_us = 0;
    for (auto step = from_.steps.lower_bound({behind->actor, 0});
         step != from_.steps.end() && step->first.first == behind->actor && step->first.second <= behind->number;
         ++step) {
      const auto& [key, what] = *step;
      bool hears = what.revision == heard;
      if (hears) from_us = what.time_us;
      if (from_us == 0) continue;
      bool decides = key.second == behind->number || (own && !what.effects.empty());
      if (!hears && !decides) continue;
      to_us = what.time_us;
      std::string did;
      for (const auto& effect : what.effects) did += (did.empty() ? " -> " : ", ") + effect;
      into.lines.push_back({what.time_us, hears ? std::string("cacher") : who, who, what.event + did});
    }
    if (!own) return;
    for (const auto& operation : from_.operations) {
      if (operation.time_us < from_us || operation.time_us > to_us) continue;
      into.lines.push_back({operation.time_us, who, "runtime", operation.what});
      for (const auto& [what, when] : operation.marks)
        if (when <= to_us) into.lines.push_back({when, "runtime", who, operation.what + " " + what});
    }
  }

  evidence from_;
  std::string uid_;
};

/// The uid of the last object of that name; empty when the trace has none.
result<std::string> find_uid(const std::string& path, const story_subject& about) {
  auto source = reader::open(path);
  if (!source) return source.error();
  std::string uid;
  auto dot = about.resource.find('.');
  auto plural = about.resource.substr(0, dot);
  auto group = dot == std::string::npos ? std::string() : about.resource.substr(dot + 1);
  frame one;
  while (source->next(one))
    if (one.kind == frame_kind::object && one.name == about.name && one.namespace_name == about.namespace_name &&
        one.resource.starts_with(group + "/") && one.resource.ends_with("/" + plural))
      uid = one.uid;
  if (!source->error().ok()) return source->error();
  return uid;
}

}  // namespace

result<story> tell_story(const std::string& path, const story_subject& about) {
  auto uid = find_uid(path, about);
  if (!uid) return uid.error();
  if (uid->empty()) return not_found("", about.resource, about.name);
  auto source = reader::open(path);
  if (!source) return source.error();
  collector all(about, *uid);
  frame one;
  while (source->next(one)) all.take(*source, one);
  if (!source->error().ok()) return source->error();
  story out{about.resource, about.namespace_name, about.name, *uid, {}, 0, 0};
  teller(all.finish(), *uid).tell(out);
  return out;
}

}  // namespace troupe::trace
