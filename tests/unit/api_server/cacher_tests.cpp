// The cacher's core with scripted store events: transitions, sharing, indexes, the window, bookmarks.
#include <doctest/doctest.h>

#include "actors/api_server/cacher/core.hpp"
#include "messages/schema/schema.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

const auto pod_resource = schema::find_resource("", "v1", "pods");

/// A store of pods that speaks in watch events.
struct script {
  std::map<std::string, store::key_value> held;
  std::uint64_t revision = 10;

  static std::string json(const std::string& name, const std::string& node, const std::string& label) {
    return R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":")" + name +
           R"(","namespace":"n","uid":"u","labels":{"l":")" + label + R"("}},"spec":{"nodeName":")" + node + R"("}})";
  }
  store::event put(const std::string& name, const std::string& node = {}, const std::string& label = "x") {
    store::event e;
    auto key = "/registry/pods/n/" + name;
    e.previous = held[key];
    e.current.key = key;
    e.current.mod_revision = ++revision;
    e.current.create_revision = e.previous.key.empty() ? revision : e.previous.create_revision;
    e.current.value = shared_bytes(json(name, node, label));
    held[key] = e.current;
    return e;
  }
  store::event erase(const std::string& name) {
    store::event e;
    auto key = "/registry/pods/n/" + name;
    e.kind = store::op_kind::erase;
    e.previous = held[key];
    e.current.key = key;
    e.current.mod_revision = ++revision;
    held.erase(key);
    return e;
  }
  store::watch_events batch(std::vector<store::event> events) const { return {1, revision, std::move(events)}; }
};

std::shared_ptr<const watch_filter> filter(const std::string& labels = {}, const std::string& fields = {},
                                           const std::string& space = {}) {
  auto out = std::make_shared<watch_filter>();
  out->namespace_name = space;
  out->labels = *label_selector::parse(labels);
  out->fields = *field_selector::parse(fields, pod_resource);
  out->key = space + "|" + labels + "|" + fields;
  return out;
}

watch_spec spec(std::uint64_t id, std::uint64_t recipient, std::shared_ptr<const watch_filter> what,
                std::uint64_t revision) {
  watch_spec out;
  out.id = id;
  out.recipient = recipient;
  out.filter = std::move(what);
  out.start = cacher::watch_start::after_revision;
  out.revision = revision;
  out.ends_at_ms = 1'000'000;
  return out;
}

/// All events of a watch in the deliveries: "+a ~b -c".
std::string told(const deliveries& all, std::uint64_t id) {
  std::string out;
  for (auto& [recipient, delivery] : all)
    for (auto& b : delivery.batches) {
      if (b.watch_id != id) continue;
      if (b.events)
        for (auto& e : *b.events) {
          out += e.type == event_type::added      ? "+"
                 : e.type == event_type::modified ? "~"
                 : e.type == event_type::deleted  ? "-"
                                                  : "b" + std::to_string(e.revision);
          if (e.object) out += e.object->name;
          if (e.initial_events_end) out += "!";
          out += " ";
        }
      if (b.closed) out += "closed" + (b.error.ok() ? std::string() : ":" + b.error.message);
    }
  return out;
}

}  // namespace

TEST_CASE("one message per recipient, one vector for equal watches") {
  script s;
  cacher_core core(pod_resource);
  core.reset({}, 10);
  core.open(spec(1, 7, filter(), 10), 0);
  core.open(spec(2, 7, filter(), 10), 0);
  core.open(spec(3, 8, filter("l=x"), 10), 0);
  auto out = core.apply(s.batch({s.put("a"), s.put("b", "", "y"), s.put("a")}));
  REQUIRE(out.size() == 2);
  auto& batches = out.at(7).batches;
  REQUIRE(batches.size() == 2);
  CHECK(batches[0].events == batches[1].events);
  CHECK(told(out, 1) == "+a +b ~a ");
  CHECK(told(out, 3) == "+a ~a ");
  CHECK(core.publish()->size() == 2);
  CHECK(core.publish()->revision() == 13);
}

TEST_CASE("selector transitions, through indexes too") {
  script s;
  cacher_core core(pod_resource);
  core.reset({}, 10);
  core.open(spec(1, 1, filter("l=x"), 10), 0);
  core.open(spec(2, 1, filter("", "spec.nodeName=n1"), 10), 0);
  core.open(spec(3, 1, filter("", "spec.nodeName=n2"), 10), 0);
  core.open(spec(4, 1, filter("", "metadata.name=a"), 10), 0);
  core.open(spec(5, 1, filter("", "", "other"), 10), 0);
  core.open(spec(6, 1, filter("", "spec.nodeName="), 10), 0);
  auto first = core.apply(s.batch({s.put("a", "", "y")}));
  CHECK(told(first, 1).empty());
  CHECK(told(first, 4) == "+a ");
  CHECK(told(first, 6) == "+a ");
  auto bound = core.apply(s.batch({s.put("a", "n1", "x")}));
  CHECK(told(bound, 1) == "+a ");
  CHECK(told(bound, 2) == "+a ");
  CHECK(told(bound, 3).empty());
  CHECK(told(bound, 6) == "-a ");
  auto moved = core.apply(s.batch({s.put("a", "n2", "x")}));
  CHECK(told(moved, 2) == "-a ");
  CHECK(told(moved, 3) == "+a ");
  auto gone = core.apply(s.batch({s.erase("a")}));
  CHECK(told(gone, 3) == "-a ");
  CHECK(told(gone, 5).empty());
  const auto& last = gone.at(1).batches.front().events->front();
  CHECK(last.object->revision == 14);
}

TEST_CASE("a watch that begins in the past is served from the window, or refused") {
  script s;
  cacher_core core(pod_resource, {3, 1 << 20});
  core.reset({}, 10);
  core.apply(s.batch({s.put("a"), s.put("b"), s.put("c"), s.put("d"), s.erase("a")}));  // 11..15, window holds 13..15
  CHECK(told(core.open(spec(1, 1, filter(), 12), 0), 1) == "+c +d -a ");
  CHECK(told(core.open(spec(2, 1, filter(), 14), 0), 2) == "-a ");
  CHECK(told(core.open(spec(3, 1, filter(), 11), 0), 3) == "closed:too old resource version: 11 (12)");
  CHECK(core.watches() == 2);
  auto initial = spec(4, 1, filter(), 0);
  initial.start = cacher::watch_start::current_state;
  initial.mark_initial_end = true;
  CHECK(told(core.open(initial, 0), 4) == "+b +c +d b15! ");
}

TEST_CASE("bookmarks, timeouts, closing") {
  script s;
  cacher_core core(pod_resource);
  core.reset({}, 10);
  auto one = spec(1, 1, filter(), 10);
  one.bookmarks = true;
  one.ends_at_ms = 100'000;
  core.open(one, 0);
  core.open(spec(2, 2, filter(), 10), 0);
  CHECK(core.next_tick() > 0);
  CHECK(core.tick(1'000, 12).empty());
  CHECK(told(core.tick(61'000, 12), 1) == "b12 ");
  CHECK(told(core.tick(100'000, 12), 1) == "b12 closed");
  CHECK(core.watches() == 1);
  core.forget(2);
  CHECK(core.watches() == 0);
  CHECK(core.next_tick() == 0);
  CHECK(core.apply(s.batch({s.put("a")})).empty());
}

TEST_CASE("what was seen already is skipped; what is no object is counted") {
  script s;
  cacher_core core(pod_resource);
  core.reset({}, 10);
  core.open(spec(1, 1, filter(), 10), 0);
  auto first = s.put("a");
  core.apply(s.batch({first}));
  CHECK(core.apply(s.batch({first})).empty());
  auto broken = s.put("b");
  broken.current.value = shared_bytes(std::string("nonsense"));
  CHECK(core.apply(s.batch({broken})).empty());
  CHECK(core.unreadable() == 1);
  CHECK(core.revision() == 12);
}
