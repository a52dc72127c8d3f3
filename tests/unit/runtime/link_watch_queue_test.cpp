// Events of watches that wait for a slow link: their order, their pieces, and what happens to a watch that is behind.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "messages/schema/schema.hpp"
#include "runtime/link/watch_queue.hpp"

using namespace troupe;
using link::watch_queue;

namespace {

api::watch_event event_of(std::uint64_t revision, std::size_t bytes) {
  auto json =
      R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m","namespace":"default","uid":"u"},"data":{"k":")" +
      std::string(bytes, 'x') + R"("}})";
  auto made = make_object(schema::find_resource("", "v1", "configmaps"), json, revision, revision);
  REQUIRE(made.ok());
  return {api::event_type::modified, *made, revision, false};
}

api::watch_batch batch_of(std::uint64_t watch, const std::vector<std::uint64_t>& revisions, std::size_t bytes = 100) {
  std::vector<api::watch_event> events;
  for (auto revision : revisions) events.push_back(event_of(revision, bytes));
  api::watch_batch out;
  out.watch_id = watch;
  out.events = std::make_shared<const std::vector<api::watch_event>>(std::move(events));
  return out;
}

api::watch_batch bookmark_of(std::uint64_t watch) {
  api::watch_batch out;
  out.watch_id = watch;
  out.events = std::make_shared<const std::vector<api::watch_event>>(
      std::vector<api::watch_event>{{api::event_type::bookmark, nullptr, 1, true}});
  return out;
}

/// "1:5,6 2:7 1:end" - watches with the revisions of their events.
std::string text_of(const api::watch_delivery& delivery) {
  std::string out;
  for (const auto& batch : delivery.batches) {
    out += (out.empty() ? "" : " ") + std::to_string(batch.watch_id) + ":";
    std::string events;
    if (batch.events)
      for (const auto& one : *batch.events) events += (events.empty() ? "" : ",") + std::to_string(one.revision);
    out += events;
    if (batch.closed) out += "end";
  }
  return out;
}

}  // namespace

TEST_CASE("events leave in their order, in pieces") {
  watch_queue queue(1 << 20);
  CHECK(queue.add(batch_of(1, {5, 6, 7})));
  CHECK(queue.add(batch_of(2, {8})));
  CHECK(queue.add(batch_of(1, {9})));
  CHECK(text_of(queue.take(1)) == "1:5");
  CHECK(text_of(queue.take(500)) == "1:6,7");
  CHECK(text_of(queue.take(1 << 20)) == "2:8 1:9");
  CHECK(queue.empty());
  CHECK(text_of(queue.take(1 << 20)).empty());
}

TEST_CASE("a watch that falls too far behind is cut, others are not") {
  watch_queue queue(10'000);
  queue.add(batch_of(1, {1}));
  queue.add(batch_of(2, {2}));
  queue.take(1 << 20);  // both are up to date
  CHECK(queue.add(batch_of(1, {3}, 6'000)));
  CHECK(queue.add(batch_of(2, {4}, 6'000)));
  CHECK_FALSE(queue.add(batch_of(1, {5}, 6'000)));
  queue.cut(1);
  CHECK(text_of(queue.take(1 << 20)) == "2:4 1:end");
  // What was taken does not count any more.
  CHECK(queue.add(batch_of(2, {6}, 6'000)));
}

TEST_CASE("what there was at first does not count, however much it is") {
  watch_queue queue(10'000);
  CHECK(queue.add(batch_of(1, {1, 2, 3, 4}, 6'000)));
  CHECK(queue.add(bookmark_of(1)));
  CHECK(queue.add(batch_of(1, {5}, 6'000)));
  CHECK_FALSE(queue.add(batch_of(1, {6}, 6'000)));
  // One that resumes has been up to date once nothing of it waits.
  watch_queue resumed(10'000);
  CHECK(resumed.add(batch_of(1, {1, 2, 3, 4}, 6'000)));
  resumed.take(1 << 20);
  CHECK(resumed.add(batch_of(1, {5}, 6'000)));
  CHECK_FALSE(resumed.add(batch_of(1, {6}, 6'000)));
}

TEST_CASE("a watch that is dropped in the middle of a batch leaves the next one whole") {
  watch_queue queue(1 << 20);
  queue.add(batch_of(1, {1, 2, 3}));
  queue.add(batch_of(2, {4, 5}));
  CHECK(text_of(queue.take(1)) == "1:1");
  queue.drop(1);
  CHECK(text_of(queue.take(1 << 20)) == "2:4,5");
}
