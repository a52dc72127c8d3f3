// Snapshot files: a store of them is the store of then, with its revisions moved on; damage anywhere is found.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "actors/store/log/log_backend.hpp"
#include "actors/store/snapshot.hpp"
#include "actors/store/verify.hpp"
#include "tests/unit/store/world.hpp"

namespace troupe::store::snapshot_test {
namespace {

namespace fs = std::filesystem;

/// A directory of its own, gone at the end.
struct scratch {
  scratch() {
    auto name = (fs::temp_directory_path() / "troupe-snapshot-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~scratch() { fs::remove_all(path); }
  std::string file() const { return path + "/snapshot"; }
  std::string data() const { return path + "/data"; }
  std::string path;
};

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void put_content(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// A store with a history: 300 keys, some changed, some erased, one on a lease.
void fill_store(testing::world& w) {
  for (int i = 0; i < 300; ++i) w.put("/registry/a/" + std::to_string(1000 + i), std::string(200, 'x'));
  for (int i = 0; i < 50; ++i) w.put("/registry/a/" + std::to_string(1000 + i), "changed");
  for (int i = 50; i < 60; ++i) w.erase("/registry/a/" + std::to_string(1000 + i));
  lease l;
  l.lease_id = 77;
  l.ttl_seconds = 60;
  w.ask(l);
  w.put("/registry/events/e", "of a lease", 77);
}

snapshot_summary take(testing::world& w, const std::string& file) {
  const auto all = w.get("/registry/", "/registry0");
  auto to = snapshot_writer::create(file, all.revision);
  REQUIRE(to);
  CHECK(to->add_lease(77, 60).ok());
  for (const auto& kv : all.kvs) CHECK(to->add(kv).ok());
  CHECK_FALSE(fs::exists(file));  // not before it is whole
  auto done = to->finish();
  REQUIRE(done);
  return *done;
}

std::unique_ptr<testing::world> open_restored(const std::string& data) {
  log::log_options how;
  how.directory = data + "/store";
  return std::make_unique<testing::world>(core::settings{}, std::make_shared<log::log_backend>(how));
}

}  // namespace

TEST_CASE("snapshot: the store made of it has the same keys, versions and leases, and begins further on") {
  scratch d;
  testing::world w;
  fill_store(w);
  const auto before = w.get("/registry/", "/registry0");
  const auto taken = take(w, d.file());
  CHECK(taken.keys == 291);
  CHECK(taken.leases == 1);
  CHECK(taken.bytes == fs::file_size(d.file()));
  CHECK_FALSE(fs::exists(d.file() + ".partial"));
  auto checked = check_snapshot(d.file());
  REQUIRE(checked);
  CHECK(checked->revision == taken.revision);
  CHECK(checked->keys == 291);
  REQUIRE(restore_snapshot(d.file(), d.data(), 1'000'000, 5));

  auto found = open_restored(d.data());
  const auto after = found->get("/registry/", "/registry0");
  REQUIRE(after.kvs.size() == before.kvs.size());
  for (std::size_t i = 0; i < before.kvs.size(); ++i) {
    CHECK(after.kvs[i].key == before.kvs[i].key);
    CHECK(after.kvs[i].value == before.kvs[i].value);
    CHECK(after.kvs[i].create_revision == before.kvs[i].create_revision);
    CHECK(after.kvs[i].mod_revision == before.kvs[i].mod_revision);
    CHECK(after.kvs[i].version == before.kvs[i].version);
    CHECK(after.kvs[i].lease == before.kvs[i].lease);
  }
  CHECK(after.revision == taken.revision + 1'000'000);
  // A watch from the old time hears that it is over; one from now on works.
  const auto old = found->start_watch("/registry/", "/registry0", taken.revision + 1);
  CHECK(found->started.at(old).error.why == reason::gone);
  const auto fresh = found->start_watch("/registry/", "/registry0", after.revision + 1);
  CHECK(found->started.at(fresh).error.ok());
  CHECK(found->put("/registry/a/1000", "next").revision == after.revision + 1);
  // The lease lives, and takes its key with it.
  lease ask;
  ask.lease_id = 77;
  ask.action = lease_action::time_to_live;
  CHECK(found->ask(ask).ttl_seconds == 60);
  found->tick(61'000);
  found->settle();
  CHECK(found->get("/registry/events/e").kvs.empty());
  found->disk->close();
  auto verified = verify(d.data());
  REQUIRE(verified);
  CHECK(verified->problems.empty());
}

TEST_CASE("snapshot: an empty store") {
  scratch d;
  auto to = snapshot_writer::create(d.file(), 1);
  REQUIRE(to);
  REQUIRE(to->finish());
  REQUIRE(restore_snapshot(d.file(), d.data(), 0, 5));
  auto found = open_restored(d.data());
  CHECK(found->get("/", "0").kvs.empty());
  CHECK(found->put("/registry/a", "x").revision == 2);
}

TEST_CASE("snapshot: every flipped byte and every cut is found, and nothing is restored of it") {
  scratch d;
  testing::world w;
  for (int i = 0; i < 3; ++i) w.put("/registry/a/" + std::to_string(i), "value");
  take(w, d.file());
  const auto whole = content_of(d.file());
  const auto broken = d.path + "/broken";
  for (std::size_t at = 0; at < whole.size(); ++at) {
    auto bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    put_content(broken, bytes);
    // The last four bytes of the header mean nothing, but they are checked as well.
    CHECK_FALSE(check_snapshot(broken));
  }
  for (std::size_t size = 0; size < whole.size(); ++size) {
    put_content(broken, whole.substr(0, size));
    CHECK_FALSE(check_snapshot(broken));
  }
  put_content(broken, whole + "x");
  CHECK_FALSE(restore_snapshot(broken, d.data(), 0, 5));
  CHECK_FALSE(fs::exists(d.data() + "/store"));
}

TEST_CASE("snapshot: a jump of revisions beyond their range is refused, and nothing is made") {
  scratch d;
  auto to = snapshot_writer::create(d.file(), 5);
  REQUIRE(to);
  REQUIRE(to->finish());
  const auto limit = std::uint64_t{1} << 62;
  for (const auto bump : {limit - 4, limit, ~std::uint64_t{0}, ~std::uint64_t{0} - 4}) {
    auto refused = restore_snapshot(d.file(), d.data(), bump, 5);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("cannot jump") != std::string::npos);
    CHECK_FALSE(fs::exists(d.data()));
  }
  REQUIRE(restore_snapshot(d.file(), d.data(), limit - 5, 5));
  CHECK(open_restored(d.data())->put("/registry/a", "x").revision == limit + 1);
}

TEST_CASE("snapshot: what is there is not overwritten, what was left unfinished is") {
  scratch d;
  testing::world w;
  fill_store(w);
  take(w, d.file());
  fs::create_directories(d.data() + "/store");
  auto refused = restore_snapshot(d.file(), d.data(), 0, 5);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("is there already") != std::string::npos);
  fs::remove(d.data() + "/store");
  fs::create_directories(d.data() + "/store.restoring");
  put_content(d.data() + "/store.restoring/segment-00000001", "rubbish");
  REQUIRE(restore_snapshot(d.file(), d.data(), 0, 5));
  CHECK(open_restored(d.data())->get("/registry/", "/registry0").kvs.size() == 291);
  CHECK_FALSE(fs::exists(d.data() + "/store.restoring"));
}

}  // namespace troupe::store::snapshot_test
