// Leader election: who leads when, by client-go's rules. Two processes are played over one Lease.
#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "actors/leader/core.hpp"

namespace troupe::leader {
namespace {

/// The Lease, as an api_server keeps it.
struct shared_lease {
  bool exists = false;
  record now;
  int writes = 0;
};

/// A process that asks at once and is answered at once, unless it is cut off.
struct process {
  process(shared_lease& on, std::string identity) : lease(on), s(make(std::move(identity))) {}
  static settings make(std::string identity) {
    settings out;
    out.name = "kube-scheduler";
    out.identity = std::move(identity);
    return out;
  }
  static std::string between(const std::string& text, const std::string& from) {
    auto begin = text.find(from);
    if (begin == std::string::npos) return {};
    begin += from.size();
    return text.substr(begin, text.find_first_of("\",}", begin) - begin);
  }

  void tick(std::uint64_t now_ms) { take(step(s, clock_ticked{now_ms, 1'700'000'000'000 + now_ms})); }
  void take(const effects& what) {
    for (const auto& one : what) {
      if (std::holds_alternative<lead>(one)) leads = true;
      if (std::holds_alternative<step_down>(one)) leads = false;
      if (std::holds_alternative<read_lease>(one)) answer_read();
      if (const auto* w = std::get_if<write_lease>(&one)) answer_write(*w);
    }
  }
  void answer_read() {
    if (cut_off) return take(step(s, call_failed{}));
    take(step(s, lease_read{lease.exists, lease.now}));
  }
  void answer_write(const write_lease& w) {
    if (cut_off) return take(step(s, call_failed{}));
    const auto version = between(w.json, R"("resourceVersion":")");
    if (w.create ? lease.exists : version != lease.now.resource_version) return take(step(s, lease_written{}));
    apply(w.json);
    take(step(s, lease_written{true, lease.now}));
  }
  void apply(const std::string& json) {
    lease.exists = true;
    lease.now.resource_version = std::to_string(++lease.writes);
    lease.now.holder = between(json, R"("holderIdentity":")");
    lease.now.duration_ms = std::stoull(between(json, R"("leaseDurationSeconds":)")) * 1000;
    lease.now.transitions = std::stoll(between(json, R"("leaseTransitions":)"));
    lease.now.acquired = between(json, R"("acquireTime":")");
  }

  shared_lease& lease;
  state s;
  bool leads = false;
  bool cut_off = false;
};

struct two {
  shared_lease lease;
  process a{lease, "a"}, b{lease, "b"};
  std::uint64_t now = 1'000;
  void run(std::uint64_t ms) {
    for (const auto end = now + ms; now < end; now += 250) {
      a.tick(now);
      b.tick(now);
      CHECK_FALSE((a.leads && b.leads));
    }
  }
};

TEST_CASE("leader: the first one leads and goes on leading") {
  two t;
  t.run(60'000);
  CHECK(t.a.leads);
  CHECK_FALSE(t.b.leads);
  CHECK(t.lease.now.transitions == 0);
  CHECK(t.lease.writes > 25);  // renewed every two seconds
  CHECK(t.lease.now.acquired == "2023-11-14T22:13:21.000000Z");
}

TEST_CASE("leader: one that is cut off steps down before another one leads") {
  two t;
  t.run(10'000);
  t.a.cut_off = true;
  t.run(7'000);
  CHECK(t.a.leads);
  t.run(5'000);
  CHECK_FALSE(t.a.leads);
  CHECK_FALSE(t.b.leads);
  t.run(6'000);
  CHECK(t.b.leads);
  CHECK(t.lease.now.transitions == 1);
  // It comes back and follows.
  t.a.cut_off = false;
  t.run(60'000);
  CHECK(t.b.leads);
  CHECK_FALSE(t.a.leads);
}

TEST_CASE("leader: one that ends gives the Lease back, and the other one leads at once") {
  two t;
  t.run(10'000);
  const auto json = released(t.a.s);
  CHECK(json.find(R"("holderIdentity":"")") != std::string::npos);
  t.a.apply(json);
  t.a.leads = false;
  t.a.cut_off = true;
  t.run(2'500);
  CHECK(t.b.leads);
  CHECK(released(t.a.s).empty() == !t.a.s.leads);
}

TEST_CASE("leader: whose Lease another one has written steps down at once") {
  two t;
  t.run(10'000);
  t.lease.now.holder = "c";
  t.lease.now.resource_version = "other";
  t.run(2'500);
  CHECK_FALSE(t.a.leads);
  t.run(13'000);
  CHECK_FALSE(t.a.leads);
  CHECK_FALSE(t.b.leads);
  t.run(4'000);
  CHECK((t.a.leads || t.b.leads));
}

TEST_CASE("leader: a Lease that is deleted is made again by its holder or another one") {
  two t;
  t.run(10'000);
  t.lease.exists = false;
  t.lease.now = {};
  t.run(5'000);
  CHECK(t.a.leads);
  CHECK(t.lease.exists);
}

}  // namespace
}  // namespace troupe::leader
