// Snapshots: order of keys, sharing, and agreement with a plain map under random changes.
#include <doctest/doctest.h>

#include <map>
#include <random>

#include "actors/api_server/cacher/snapshot_builder.hpp"
#include "messages/schema/schema.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

object_ptr config_map(const std::string& space, const std::string& name, std::uint64_t revision) {
  static const auto resource = schema::find_resource("", "v1", "configmaps");
  auto json = R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":")" + name + R"(","namespace":")" + space +
              R"(","uid":"u"}})";
  auto made = make_object(resource, json, revision, 1);
  REQUIRE(made.ok());
  return *made;
}

std::vector<std::string> keys(const snapshot& s, const std::string& space = {}) {
  std::vector<std::string> out;
  s.visit(space, [&](const object_ptr& o) {
    out.push_back(std::string(o->namespace_name) + "/" + std::string(o->name));
    return true;
  });
  return out;
}

}  // namespace

TEST_CASE("keys compare as the store's keys do") {
  CHECK(compare_keys("a", "x", "a-b", "x") > 0);  // '-' is before '/'
  CHECK(compare_keys("a", "x", "ab", "x") < 0);
  CHECK(compare_keys("a", "x", "a", "y") < 0);
  CHECK(compare_keys("", "x", "", "x") == 0);
  CHECK(compare_keys("a", "b", "a", "b") == 0);
}

TEST_CASE("random changes agree with a map, and old snapshots do not move") {
  std::mt19937 random(7);
  snapshot_builder builder;
  std::map<std::string, std::uint64_t> model;
  snapshot_ptr old;
  std::vector<std::string> old_keys;
  for (std::uint64_t revision = 1; revision <= 20'000; ++revision) {
    std::string space = "n" + std::to_string(random() % 5) + (random() % 2 ? "-x" : "");
    std::string name = "o" + std::to_string(random() % 3000);
    if (random() % 3) {
      auto before = builder.put(config_map(space, name, revision));
      CHECK((before != nullptr) == (model.count(space + "/" + name) == 1));
      model[space + "/" + name] = revision;
    } else {
      CHECK((builder.erase(space, name) != nullptr) == (model.erase(space + "/" + name) == 1));
    }
    if (revision == 9'000) {
      old = builder.publish(revision);
      for (auto& [key, r] : model) old_keys.push_back(key);
    }
  }
  auto now = builder.publish(20'000);
  CHECK(now->size() == model.size());
  std::vector<std::string> expected;
  for (auto& [key, r] : model) expected.push_back(key);
  CHECK(keys(*now) == expected);
  CHECK(keys(*old) == old_keys);
  for (auto& [key, r] : model) {
    auto slash = key.find('/');
    auto* found = now->find(key.substr(0, slash), key.substr(slash + 1));
    REQUIRE(found);
    CHECK((*found)->revision == r);
  }
  CHECK(now->find("n0", "none") == nullptr);
  std::vector<std::string> of_one;
  for (auto& key : expected)
    if (key.starts_with("n3/")) of_one.push_back(key);
  CHECK(keys(*now, "n3") == of_one);
}

TEST_CASE("emptied and refilled") {
  snapshot_builder builder;
  for (int i = 0; i < 500; ++i) builder.put(config_map("n", std::to_string(i), 1));
  for (int i = 0; i < 500; ++i) CHECK(builder.erase("n", std::to_string(i)));
  CHECK(builder.size() == 0);
  CHECK(builder.erase("n", "1") == nullptr);
  builder.put(config_map("n", "a", 2));
  CHECK(keys(builder.current()) == std::vector<std::string>{"n/a"});
}
