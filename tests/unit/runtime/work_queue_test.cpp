// The work queue's promises: once in the queue, never worked on twice at a time, delays and backoff per key.
#include "runtime/work_queue.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using troupe::runtime::work_queue;

namespace {

std::vector<std::string> take_all(work_queue& queue) {
  std::vector<std::string> keys;
  while (auto key = queue.take()) keys.push_back(*key);
  return keys;
}

}  // namespace

TEST_CASE("a key waits once, in the order of its first addition") {
  work_queue queue;
  queue.add("a");
  queue.add("b");
  queue.add("a");
  CHECK(take_all(queue) == std::vector<std::string>{"a", "b"});
  CHECK(queue.processing() == 2);
}

TEST_CASE("a key added while it is worked on comes back once, after done") {
  work_queue queue;
  queue.add("a");
  REQUIRE(queue.take() == "a");
  queue.add("a");
  queue.add("a");
  CHECK_FALSE(queue.take());
  queue.done("a");
  CHECK(queue.take() == "a");
  queue.done("a");
  CHECK_FALSE(queue.take());
  CHECK(queue.processing() == 0);
}

TEST_CASE("done of a key that was never taken adds nothing") {
  work_queue queue;
  queue.add("a");
  queue.done("a");
  CHECK(queue.waiting() == 1);
  CHECK(take_all(queue) == std::vector<std::string>{"a"});
}

TEST_CASE("of several delays the earliest counts") {
  work_queue queue;
  queue.add_after("a", 100, 0);
  queue.add_after("a", 50, 0);
  queue.add_after("a", 80, 0);
  CHECK(queue.delayed() == 1);
  CHECK(queue.next_due_ms() == 50);
  queue.advance(49);
  CHECK_FALSE(queue.take());
  queue.advance(50);
  CHECK(queue.take() == "a");
  queue.done("a");
  queue.advance(1'000);
  CHECK_FALSE(queue.take());
  CHECK_FALSE(queue.next_due_ms());
}

TEST_CASE("a delay of zero adds at once") {
  work_queue queue;
  queue.add_after("a", 0, 7);
  CHECK(queue.take() == "a");
}

TEST_CASE("backoff doubles per key from 5 ms to 1000 s, and forget resets it") {
  work_queue queue;
  std::uint64_t now = 0;
  std::uint64_t wanted = 5;
  for (int i = 0; i < 30; ++i) {
    queue.add_rate_limited("a", now);
    REQUIRE(queue.next_due_ms());
    CHECK(*queue.next_due_ms() - now == std::min<std::uint64_t>(wanted, 1'000'000));
    now = *queue.next_due_ms();
    queue.advance(now);
    REQUIRE(queue.take() == "a");
    queue.done("a");
    wanted *= 2;
  }
  CHECK(queue.failures("a") == 30);
  queue.add_rate_limited("b", now);
  CHECK(*queue.next_due_ms() - now == 5);
  queue.forget("a");
  CHECK(queue.failures("a") == 0);
  queue.add_rate_limited("a", now);
  queue.advance(now + 5);
  CHECK(queue.waiting() == 2);
}

TEST_CASE("a delayed key that falls due while it is worked on waits for done") {
  work_queue queue;
  queue.add("a");
  REQUIRE(queue.take() == "a");
  queue.add_after("a", 10, 0);
  queue.advance(10);
  CHECK_FALSE(queue.take());
  queue.done("a");
  CHECK(queue.take() == "a");
}
