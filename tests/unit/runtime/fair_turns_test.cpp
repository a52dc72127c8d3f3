// Which class of actors goes next, and what becomes of the others' share.
#include <doctest/doctest.h>

#include <array>

#include "runtime/priority_scheduler.hpp"

using namespace troupe;
using namespace troupe::runtime;

namespace {

constexpr std::size_t serving = 0, deciding = 1, reporting = 2;
constexpr std::array<bool, urgency_count> all{true, true, true};

/// The classes that wait always have something to do, each turn takes the same time: how many turns each got.
std::array<std::uint64_t, urgency_count> turns_of(fair_turns& turns, std::size_t count,
                                                  const std::array<bool, urgency_count>& waiting) {
  std::array<std::uint64_t, urgency_count> got{};
  for (std::size_t i = 0; i < count; ++i) {
    auto which = turns.next(waiting);
    ++got[which];
    turns.used(which, 1'200'000);
  }
  return got;
}

}  // namespace

TEST_CASE("the most urgent class goes first, and none goes when none waits") {
  fair_turns turns;
  CHECK(turns.next(all) == serving);
  CHECK(turns.next({false, false, true}) == reporting);
  CHECK(turns.next({false, false, false}) == urgency_count);
}

TEST_CASE("classes that always have work share by weight") {
  fair_turns turns;
  auto sum = fair_turns::weights[serving] + fair_turns::weights[deciding] + fair_turns::weights[reporting];
  auto got = turns_of(turns, sum * 100, all);
  for (std::size_t i = 0; i < urgency_count; ++i) {
    CHECK(got[i] + 2 >= fair_turns::weights[i] * 100);
    CHECK(got[i] <= fair_turns::weights[i] * 100 + 2);
  }
}

TEST_CASE("what a class does not use goes to the others, and is not saved up") {
  fair_turns turns;
  turns_of(turns, 1000, {false, false, true});
  // It starts where the others are: it does not get a thousand turns for the time it slept.
  turns.woke(serving, {false, false, true});
  auto got = turns_of(turns, 130, {true, false, true});
  CHECK(got[reporting] >=
        130 * fair_turns::weights[reporting] / (fair_turns::weights[serving] + fair_turns::weights[reporting]) - 1);
}
