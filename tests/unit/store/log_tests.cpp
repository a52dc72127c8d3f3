// The log on real files: restarts, segments, torn ends, missing and foreign files.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "actors/store/log/crc32c.hpp"
#include "actors/store/log/log_backend.hpp"
#include "actors/store/verify.hpp"
#include "tests/unit/store/world.hpp"

using namespace troupe;
using namespace troupe::store;
using troupe::store::log::log_backend;
using troupe::store::testing::no_cache;
using troupe::store::testing::world;
namespace fs = std::filesystem;

namespace {

/// A directory of its own, gone at the end.
struct directory {
  directory() {
    // In memory where that is possible: these tests are about what is in the files, not about the disk.
    const auto parent = fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path();
    std::string name = (parent / "troupe-store-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~directory() { fs::remove_all(path); }
  std::string store() const { return path + "/store"; }
  std::string path;
};

log::log_options small(const directory& d) {
  log::log_options o;
  o.directory = d.store();
  o.segment_bytes = 32 << 10;
  o.first_allocation = o.next_allocation = 16 << 10;
  o.salt = 99;
  return o;
}
std::shared_ptr<backend> small_log(const directory& d) { return std::make_shared<log_backend>(small(d)); }
std::string value(world& w, const std::string& key) {
  auto r = w.get(key);
  return r.kvs.empty() ? "(none)" : std::string(r.kvs[0].value.view());
}
void reopen(world& w, const directory& d) {
  w.disk.reset();  // the lock goes with it
  w.disk = small_log(d);
  w.restart();
}
std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}
std::string open_error(const directory& d) {
  log_backend b(small(d));
  auto opened = b.open([](const record&, location) {});
  return opened ? "" : opened.error().message;
}

}  // namespace

TEST_CASE("crc32c: the published check value, in one piece and in several") {
  CHECK(log::crc32c("123456789") == 0xE3069283U);
  std::string text(1000, 'x');
  for (std::size_t cut : {0UL, 1UL, 7UL, 8UL, 333UL, 1000UL}) {
    CHECK(log::crc32c(text.substr(cut), log::crc32c(text.substr(0, cut))) == log::crc32c(text));
  }
}

TEST_CASE("everything is there after a restart, over many segments") {
  directory d;
  world w(no_cache(), small_log(d));
  w.grant(5, 100);
  for (int i = 0; i < 300; ++i)
    w.put("k" + std::to_string(i % 70), "value" + std::string(500, 'x') + std::to_string(i));
  w.put("leased", "", 5);
  w.erase("k3");
  CHECK(log::list_segments(d.store())->size() > 4);
  const auto before = w.get("k", "m");
  const auto live = w.state->live_bytes;
  for (int round = 0; round < 2; ++round) {
    reopen(w, d);
    const auto after = w.get("k", "m");
    REQUIRE(after.kvs.size() == before.kvs.size());
    CHECK(after.revision == before.revision);
    for (std::size_t i = 0; i < after.kvs.size(); ++i) {
      CHECK(after.kvs[i].value == before.kvs[i].value);
      CHECK(after.kvs[i].mod_revision == before.kvs[i].mod_revision);
      CHECK(after.kvs[i].version == before.kvs[i].version);
    }
    CHECK(w.state->live_bytes == live);
    CHECK(w.get("k3", {}, 250).count == 1);
  }
  w.tick(100'000);
  w.settle();
  CHECK(value(w, "leased") == "(none)");
  w.disk.reset();
  auto report = verify(d.path);
  REQUIRE(report.ok());
  CHECK(report->problems.empty());
  CHECK(report->revision == w.state->durable_revision);
}

TEST_CASE("cleaning deletes files and survives a restart at any point") {
  directory d;
  auto settings = no_cache();
  settings.compact_interval_ms = 10;
  settings.clean_slack_bytes = 64 << 10;
  world w(settings, small_log(d));
  w.put("gone", "x");
  w.erase("gone");
  w.put("stays", "here");
  for (int i = 0; i < 1500; ++i) {
    w.put("k" + std::to_string(i % 7), std::string(300, 'x') + std::to_string(i));
    if (i % 20 == 0) w.tick(10);  // not settled: what is under way is cut off by the restarts
    if (i % 100 == 99) {
      reopen(w, d);
      REQUIRE(value(w, "stays") == "here");
      REQUIRE(value(w, "gone") == "(none)");
      REQUIRE(w.state->durable_revision == static_cast<std::uint64_t>(i) + 5);
      core::check_invariants(*w.state);
    }
  }
  w.tick(10);
  w.settle();
  CHECK(w.state->disk.bytes < 200'000);
  CHECK(w.state->disk.oldest_segment > 5);
  CHECK_FALSE(fs::exists(d.store() + "/" + log::segment_name(1)));
}

TEST_CASE("a commit cut off at any byte is all there or not at all, and never acknowledged ones are wiped") {
  directory d;
  const auto path = d.store() + "/" + log::segment_name(1);
  std::size_t end_of_first = 0;
  std::size_t end_of_second = 0;
  std::string marked;
  {
    auto disk = std::make_shared<log_backend>(small(d));
    world w({}, disk);
    w.put("a", "first");
    disk->idle();
    marked = read_file(path);
    end_of_first = marked.find_last_not_of('\0') + 1;
    w.now({}, {world::put_op("a", "second"), world::put_op("b", "second")});
    end_of_second = read_file(path).find_last_not_of('\0') + 1;
  }
  const std::string whole = read_file(path);
  for (std::size_t cut = end_of_first; cut <= end_of_second; ++cut) {
    CAPTURE(cut);
    std::string torn = marked;  // the mark of the time before
    torn.replace(end_of_first, cut - end_of_first, whole, end_of_first, cut - end_of_first);
    write_file(path, torn);
    world w({}, small_log(d));
    const bool complete = cut == end_of_second;
    REQUIRE(value(w, "a") == (complete ? "second" : "first"));
    REQUIRE(value(w, "b") == (complete ? "second" : "(none)"));
    REQUIRE(w.put("a", "third").revision == (complete ? 4 : 3));
    reopen(w, d);
    REQUIRE(value(w, "a") == "third");
    w.disk.reset();
  }
}

TEST_CASE("a flaw in front of what was durable is an error, even where the mark is old") {
  directory d;
  const auto path = d.store() + "/" + log::segment_name(1);
  std::string fresh;
  {
    world w({}, small_log(d));
    fresh = read_file(path);
    for (int i = 0; i < 3; ++i) w.put("a", "value " + std::to_string(i));
  }
  std::string whole = read_file(path);
  whole.replace(4096, 4096, fresh, 4096, 4096);
  auto at = whole.find("value 1");
  REQUIRE(at != std::string::npos);
  whole[at] ^= 1;
  write_file(path, whole);
  CHECK(open_error(d).find("is corrupt: batch 2") != std::string::npos);
  CHECK_FALSE(verify(d.path)->problems.empty());
}

TEST_CASE("a stored value cannot pass for a batch") {
  directory d;
  const auto path = d.store() + "/" + log::segment_name(1);
  std::string forged(log::batch_header_size, '\0');
  log::encode(log::batch_header{0, 0, 1000, 0}, 0, forged.data());
  std::string fresh;
  {
    world w({}, small_log(d));
    fresh = read_file(path);
    w.put("a", forged);
  }
  std::string whole = read_file(path);
  whole.replace(4096, 4096, fresh, 4096, 4096);
  whole[8192] ^= 1;  // torn: the batch around the forged one
  write_file(path, whole);
  CHECK(open_error(d).empty());
}

TEST_CASE("missing segments are noticed") {
  for (int which : {0, 1, 2}) {
    directory d;
    {
      world w(no_cache(), small_log(d));
      for (int i = 0; i < 150; ++i) w.put("k" + std::to_string(i), std::string(500, 'x'));
    }
    auto numbers = *log::list_segments(d.store());
    REQUIRE(numbers.size() > 2);
    const auto victim = which == 0 ? numbers.front() : which == 1 ? numbers[1] : numbers.back();
    fs::remove(d.store() + "/" + log::segment_name(victim));
    CHECK(open_error(d).find("missing") != std::string::npos);
  }
}

TEST_CASE("a second process is refused by name") {
  directory d;
  world w({}, small_log(d));
  CHECK(open_error(d) == "store: " + d.store() + " is in use by process " + std::to_string(::getpid()));
  CHECK(verify(d.path).error().message.find("is in use by process") != std::string::npos);
}

TEST_CASE("a directory that cannot be made is an error") {
  directory d;
  write_file(d.path + "/store", "a file");
  CHECK_FALSE(open_error(d).empty());
}

TEST_CASE("one huge value gets a segment as large as it needs") {
  directory d;
  world w(no_cache(), small_log(d));
  w.put("small", "1");
  w.put("huge", std::string(300'000, 'h'));
  w.put("after", "2");
  reopen(w, d);
  CHECK(value(w, "huge") == std::string(300'000, 'h'));
  CHECK(value(w, "after") == "2");
}
