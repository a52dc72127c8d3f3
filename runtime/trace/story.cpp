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
  std::uint64_t process = 0, incarnation = 0, seq = 0;
  std::uint64_t time_us = 0;
  std::string event;
  std::uint64_t revision = 0;  // that it hears of
  std::vector<std::string> effects;
};
/// A hop and the process that recorded it: actors of different processes count their requests alike.
struct known_hop {
  std::uint64_t process = 0;
  frame hop;
  std::uint64_t end_us() const { return hop.marks.empty() ? hop.time_us : hop.marks.back().second; }
};
using request_key = std::pair<std::string, std::uint64_t>;  // component, id
using steps = std::vector<known_step>;                      // of one component, in order

/// What of the trace may belong to the story.
struct evidence {
  std::vector<known_hop> writes;                   // of the pipeline, on the object, in order of their revisions
  std::multimap<request_key, known_hop> requests;  // of gateway and sessions
  std::map<std::uint64_t, frame> commits;          // of the store, by revision
  std::map<std::uint64_t, frame> published;        // of the cacher, by revision
  std::map<std::string, steps> steps_of;           // by component
  std::vector<frame> operations;                   // of the runtime, for the pod
  std::uint64_t running = 0;                       // first revision at which the pod is Running
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
      case frame_kind::opening:
        if (one.wall_ms != began_ms_) ++process_;
        began_ms_ = one.wall_ms;
        return;
      case frame_kind::hop:
        return take_hop(one);
      case frame_kind::object:
        return look_at(one);
      case frame_kind::event: {
        known_step step{process_, one.incarnation, one.seq, one.time_us, from.name_of(one), 0, {}};
        for (const auto& cause : one.causes)
          if (cause.kind == "revision") step.revision = cause.number;
        found.steps_of[one.component].push_back(std::move(step));
        return;
      }
      case frame_kind::effect: {
        auto& all = found.steps_of[one.component];
        bool mine = last_part(one.component) == uid_ || one.bytes.find(uid_) != std::string::npos;
        if (mine && !all.empty() && all.back().seq == one.seq) all.back().effects.push_back(from.name_of(one));
        return;
      }
      default:
        return;
    }
  }

  evidence finish() {
    std::stable_sort(found.writes.begin(), found.writes.end(),
                     [](const known_hop& a, const known_hop& b) { return a.hop.revision < b.hop.revision; });
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
      request_key key{one.component, one.id};
      found.requests.emplace(std::move(key), known_hop{process_, std::move(one)});
    } else if (one.name == subject_ && one.revision > 0 && resource_in(one.what) == resource_) {
      if (one.uid.empty() || one.uid == uid_) found.writes.push_back({process_, std::move(one)});
    }
  }

  void look_at(const frame& one) {
    if (one.uid != uid_ || one.bytes.find("\"phase\":\"Running\"") == std::string::npos) return;
    if (found.running == 0 || one.revision < found.running) found.running = one.revision;
  }

  std::string uid_, resource_, subject_;
  std::uint64_t process_ = 0, began_ms_ = ~std::uint64_t{0};
  evidence found;
};

/// Puts the lines of the parts together.
class teller {
 public:
  teller(evidence from, const std::string& uid) : from_(std::move(from)), uid_(uid) {}

  void tell(story& out) {
    if (from_.writes.empty()) return;
    const auto& creation = from_.writes.front();
    auto* client = client_of(creation);
    auto begin = client ? client->hop.time_us : creation.hop.time_us;
    out.parts.push_back(creation_part(creation, begin));
    out.created_in_us = out.parts.back().end_us() - begin;
    std::set<std::uint64_t> told = {creation.hop.revision};
    if (from_.running > 0) {
      story_part way;
      way.title = "on to Running";
      if (way_to(from_.running, creation, way, told)) {
        out.running_in_us = way.end_us() - begin;
        out.parts.push_back(std::move(way));
      }
    }
    for (const auto& write : from_.writes) {
      if (!told.insert(write.hop.revision).second) continue;
      story_part more;
      more.title = write.hop.what + " for " + asker_of(write);
      add_request(write, more, true);
      out.parts.push_back(arrange(std::move(more)));
    }
  }

 private:
  /// The request as its client sees it; null when that is not recorded.
  const known_hop* client_of(const known_hop& write) const {
    for (const auto& cause : write.hop.causes) {
      if (cause.kind != "request") continue;
      auto [at, end] = from_.requests.equal_range({cause.actor, cause.number});
      // Another incarnation counted from one again: it is the request that was open when the pipeline took it up.
      for (; at != end; ++at)
        if (at->second.process == write.process && at->second.hop.time_us <= write.hop.time_us &&
            at->second.end_us() >= write.hop.time_us)
          return &at->second;
    }
    return nullptr;
  }
  std::string asker_of(const known_hop& write) const {
    if (write.hop.causes.empty() || write.hop.causes[0].actor.empty()) return "client";
    auto who = who_of(write.hop.causes[0].actor);
    return who == "gateway" ? "client" : who;
  }

  story_part creation_part(const known_hop& creation, std::uint64_t begin) const {
    story_part part;
    part.title = "created by " + asker_of(creation);
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
  void add_request(const known_hop& known, story_part& into, bool answer) const {
    const auto& write = known.hop;
    auto* opened = client_of(known);
    const auto* client = opened ? &opened->hop : nullptr;
    auto asker = asker_of(known);
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

  const known_hop* write_at(std::uint64_t revision) const {
    for (const auto& write : from_.writes)
      if (write.hop.revision == revision) return &write;
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
  bool way_to(std::uint64_t revision, const known_hop& creation, story_part& way, std::set<std::uint64_t>& told) const {
    std::vector<std::uint64_t> chain = {revision};
    while (chain.back() != creation.hop.revision) {
      auto before = heard_before(chain.back());
      if (before == 0 || before >= chain.back()) return false;
      chain.push_back(before);
    }
    std::reverse(chain.begin(), chain.end());
    auto commit = from_.commits.find(creation.hop.revision);
    way.begin_us = commit != from_.commits.end() ? moment(commit->second, "durable", "replied") : creation.hop.time_us;
    add_published(creation.hop.revision, way);
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

  /// Where in the trace the step that wanted a write stands: the component's steps, and its place among them.
  struct place {
    const std::string* component = nullptr;
    const steps* all = nullptr;
    std::size_t at = 0;
  };
  place step_behind(const known_hop& write) const {
    auto* client = client_of(write);
    if (!client) return {};
    for (const auto& cause : client->hop.causes) {
      auto known = from_.steps_of.find(cause.actor);
      if (cause.kind != "step" || known == from_.steps_of.end()) continue;
      const auto& all = known->second;
      for (std::size_t i = all.size(); i-- > 0;)
        if (all[i].process == client->process && all[i].seq == cause.number && all[i].time_us <= client->hop.time_us)
          return {&known->first, &all, i};
    }
    return {};
  }
  static bool same_run(const known_step& a, const known_step& b) {
    return a.process == b.process && a.incarnation == b.incarnation;
  }

  /// The newest of the object's revisions that the component behind the write had heard of.
  std::uint64_t heard_before(std::uint64_t revision) const {
    const auto* write = write_at(revision);
    auto behind = write ? step_behind(*write) : place();
    if (!behind.all) return 0;
    std::uint64_t heard = 0;
    for (auto i = behind.at + 1; i > 0 && same_run((*behind.all)[i - 1], (*behind.all)[behind.at]); --i) {
      auto one = (*behind.all)[i - 1].revision;
      if (one < revision && one > heard && write_at(one)) heard = one;
    }
    return heard;
  }

  /// What the component behind the write did from hearing of `heard` to wanting it.
  void add_steps(const known_hop& write, std::uint64_t heard, story_part& into) const {
    auto behind = step_behind(write);
    if (!behind.all) return;
    auto who = who_of(*behind.component);
    bool own = last_part(*behind.component) == uid_;  // a worker of this pod: all it does is the pod's
    auto first = behind.at;
    for (auto i = behind.at + 1; i > 0 && same_run((*behind.all)[i - 1], (*behind.all)[behind.at]); --i)
      if ((*behind.all)[i - 1].revision == heard) first = i - 1;
    auto from_us = (*behind.all)[first].time_us, to_us = (*behind.all)[behind.at].time_us;
    for (auto i = first; i <= behind.at; ++i) {
      const auto& step = (*behind.all)[i];
      bool hears = step.revision == heard;
      bool decides = i == behind.at || (own && !step.effects.empty());
      if (!hears && !decides) continue;
      std::string did;
      for (const auto& effect : step.effects) did += (did.empty() ? " -> " : ", ") + effect;
      into.lines.push_back({step.time_us, hears ? std::string("cacher") : who, who, step.event + did});
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
