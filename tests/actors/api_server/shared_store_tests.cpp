// A store that others write to as well: what they have written is seen, also while a cacher or the store starts anew.
#include <doctest/doctest.h>

#include "actors/api_server/registry/keys.hpp"
#include "messages/schema/schema.hpp"
#include "tests/actors/api_server/fixture.hpp"

using namespace troupe;
using namespace troupe::api;
using namespace troupe::api::testing;

namespace {

const auto config_maps = schema::find_resource("", "v1", "configmaps");

/// Another api_server's write: the slots here hear of it from the store only.
void write_elsewhere(cluster& c, const std::string& name, const std::string& value) {
  store::txn order;
  order.id = 1;
  auto stored = R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":")" + name +
                R"(","namespace":"default","uid":"u","creationTimestamp":"2023-11-14T22:13:20Z"},"data":{"k":")" +
                value + R"("}})";
  order.ops.push_back({store::op_kind::put, storage_key(config_maps, "default", name), shared_bytes(stored), 0});
  auto* to = caf::actor_cast<caf::abstract_actor*>(c.store_ref.handle());
  to->enqueue(nullptr, caf::make_message_id(), caf::make_message(std::move(order)), nullptr);
}

std::string cacher_path(cluster& c) {
  for (const auto& one : c.world.setup().registry().snapshot("root/api_server"))
    if (one.path.find("configmaps") != std::string::npos) return one.path;
  return {};
}

/// Whatever the store tells the cacher of configmaps comes two seconds late.
void slow_cacher(cluster& c) {
  c.world.add_fault([path = cacher_path(c)](const runtime::simulation::message_on_way& m, std::mt19937_64&) {
    runtime::message_hooks::fate out;
    if (m.to == path && m.type.find("store::") != std::string_view::npos) out.delay = std::chrono::seconds(2);
    return out;
  });
}

void crash_and_write(cluster& c, const std::string& who) {
  REQUIRE_FALSE(cacher_path(c).empty());
  REQUIRE(c.post(maps, config_map("known", "old")).code == 201);
  slow_cacher(c);
  REQUIRE(c.world.crash(who.empty() ? cacher_path(c) : who));
  c.world.run_for(std::chrono::milliseconds(100));
  write_elsewhere(c, "known", "new");
  write_elsewhere(c, "other", "new");
  c.world.run_for(std::chrono::milliseconds(10));
}

}  // namespace

TEST_CASE("shared store: a consistent read waits for a cacher that starts anew") {
  for (const std::string who : {"", "root/store"}) {
    CAPTURE(who);
    cluster c(7, true);
    crash_and_write(c, who);
    const auto found = c.get(std::string(maps) + "/known");
    CHECK(at(found, "data.k") == "new");
    CHECK(at(c.get(maps), "items.1.metadata.name") == "other");
  }
}

TEST_CASE("shared store: a refusal is not made on what a cacher knew before it starts anew") {
  for (const std::string who : {"", "root/store"}) {
    CAPTURE(who);
    cluster c(8, true);
    crash_and_write(c, who);
    const auto changed = c.merge(std::string(maps) + "/other", R"({"data":{"l":"more"}})");
    CHECK(changed.code == 200);
    CHECK(at(changed, "data.k") == "new");
  }
}

TEST_CASE("own store: reads go on at once while a cacher starts anew") {
  cluster c(9);
  REQUIRE(c.post(maps, config_map("known", "old")).code == 201);
  slow_cacher(c);
  REQUIRE(c.world.crash(cacher_path(c)));
  c.world.run_for(std::chrono::milliseconds(100));
  const auto before = c.world.now_us();
  CHECK(at(c.get(std::string(maps) + "/known"), "data.k") == "old");
  CHECK(c.world.now_us() - before < 100'000);
}
