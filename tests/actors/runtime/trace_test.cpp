// Traces: what is recorded is read back and replays; mutated cores are found at their event; bounds and redaction hold.
#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <zstd.h>

#include "runtime/trace/core_trace.hpp"
#include "runtime/trace/reader.hpp"
#include "runtime/trace/replay.hpp"
#include "tests/actors/runtime/fixture.hpp"

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::testing;

namespace {

namespace fs = std::filesystem;

// A core: adds numbers, remembers objects, says the total and every object's size.
struct number_given {
  int number = 0;
  MSGPACK_DEFINE(number)
};
struct object_seen {
  object_ptr object;
  MSGPACK_DEFINE(object)
};
using toy_event = std::variant<number_given, object_seen>;

struct total_said {
  int total = 0;
  MSGPACK_DEFINE(total)
};
struct size_said {
  std::string name;
  std::uint64_t size = 0;
  object_ptr object;
  MSGPACK_DEFINE(name, size, object)
};
using toy_effect = std::variant<total_said, size_said>;
/// What a later version of the toy might say instead.
struct other_said {
  std::string text;
  MSGPACK_DEFINE(text)
};

struct toy_state {
  int total = 0;
  int mistake_at = -1;  // total at which a wrong effect is given
  MSGPACK_DEFINE(total)
};

std::vector<toy_effect> toy_step(toy_state& state, const toy_event& event) {
  std::vector<toy_effect> effects;
  if (const auto* given = std::get_if<number_given>(&event)) {
    state.total += given->number;
    effects.emplace_back(total_said{state.total == state.mistake_at ? -1 : state.total});
  } else {
    const auto& object = std::get<object_seen>(event).object;
    if (!object) return effects;
    effects.emplace_back(size_said{std::string(object->name), object->json.size(), object});
    if (object->name == "two") effects.emplace_back(total_said{state.total});
  }
  return effects;
}

using toy_actor = caf::typed_actor<caf::reacts_to<ping>>;

/// Runs the core; each ping is an event.
class toy final : public component<toy_actor> {
 public:
  toy(caf::actor_config& settings, std::vector<object_ptr> objects)
      : component(settings, "toy"), trace_(*this, "toy"), objects_(std::move(objects)) {}
  behavior_type make_behavior() override {
    return {[this](const ping& message) {
      if (message.number < 0)
        step(object_seen{objects_.at(static_cast<std::size_t>(-message.number - 1))});
      else
        step(number_given{message.number});
    }};
  }

 private:
  void step(const toy_event& event) {
    trace::traced_step(trace_, state_, event, [](toy_state& s, const toy_event& e) { return toy_step(s, e); });
  }
  toy_state state_;
  trace::core_trace trace_;
  std::vector<object_ptr> objects_;
};

/// A directory of its own, removed afterwards.
struct scratch {
  scratch() {
    char pattern[] = "/tmp/troupe-trace-XXXXXX";
    path = mkdtemp(pattern);
    directory = path + "/traces";
  }
  ~scratch() { fs::remove_all(path); }
  std::string path, directory;
};

std::unique_ptr<trace::recorder> open_recorder(trace::recorder_options options) {
  auto made = trace::recorder::open(std::move(options));
  REQUIRE(made);
  return std::move(*made);
}

/// Feeds the pings to a toy and returns once they are on disk.
void record(trace::recorder& to, const std::vector<int>& pings, std::vector<object_ptr> objects = {}) {
  simulation::world world(1, &to);
  auto actor = world.system().spawn<toy>(std::move(objects));
  for (int number : pings) caf::anon_send(actor, ping{number});
  world.run_for(1s);
  to.flush();
}

/// What a replay says of the toy; `problem` is the trace's own when it cannot be read.
trace::component_report replay_toy(const std::string& path, int mistake_at = -1, bool* matched = nullptr) {
  trace::replay_registry cores;
  cores.add(trace::make_replayable<toy_event, toy_effect>(
      "toy",
      [mistake_at](std::string_view begin) -> std::unique_ptr<toy_state> {
        auto state = std::make_unique<toy_state>();
        if (!from_msgpack(begin, *state)) return nullptr;
        state->mistake_at = mistake_at;
        return state;
      },
      [](toy_state& s, const toy_event& e) { return toy_step(s, e); }));
  auto report = trace::replay(path, cores);
  if (matched) *matched = report.matched();
  trace::component_report toy;
  if (!report.components.empty()) toy = report.components.front();
  if (!report.problem.empty()) toy.problem = report.problem;
  return toy;
}

std::vector<trace::frame> all_frames(const std::string& path) {
  auto reader = trace::reader::open(path);
  REQUIRE(reader);
  std::vector<trace::frame> frames;
  trace::frame next;
  while (reader->next(next)) frames.push_back(next);
  CHECK(reader->error().message == "");
  return frames;
}

object_ptr secret(const std::string& name) {
  auto json =
      R"({"kind":"Secret","apiVersion":"v1","metadata":{"name":")" + name +
      R"(","namespace":"default","uid":"us","annotations":{"last":"aHVzaA=="}},"data":{"password":"aHVzaA=="},"type":"Opaque"})";
  auto made = make_object(schema::find_resource("", "v1", "secrets"), json, 7, 7);
  REQUIRE(made);
  return *made;
}

}  // namespace

TEST_CASE("a recorded run replays in full; one wrong effect is found at its event") {
  scratch place;
  {
    auto recorder = open_recorder({.directory = place.directory, .configuration = "listen: 1"});
    record(*recorder, {1, 2, -1, 3, -2, -1, 4}, {config_map("one", 5, "u1"), config_map("two", 6, "u2")});
  }
  bool matched = false;
  auto good = replay_toy(place.directory, -1, &matched);
  CHECK(good.problem == "");
  CHECK(matched);
  CHECK(good.incarnations == 1);
  CHECK(good.events == 7);
  CHECK(good.effects == 8);
  auto bad = replay_toy(place.directory, 6, &matched);  // the total after the fourth event
  CHECK_FALSE(matched);
  CHECK(bad.events == 4);
  CHECK(bad.bad_event == 4);
  CHECK(bad.problem == "incarnation 1, event 4 (number_given), effect 1: recorded total_said [6], got total_said [-1]");
}

TEST_CASE("frames: opening first, objects once and before their event") {
  scratch place;
  {
    auto recorder = open_recorder({.directory = place.directory, .configuration = "listen: 1", .wall_ms = 99});
    record(*recorder, {-1, -1}, {config_map("one", 5, "u1")});
  }
  auto frames = all_frames(place.directory);
  std::vector<int> kinds;
  for (auto& frame : frames) kinds.push_back(static_cast<int>(frame.kind));
  CHECK(kinds == std::vector<int>{0, 7, 2, 1, 3, 4, 3, 4});
  CHECK(frames[0].bytes == "listen: 1");
  CHECK(frames[0].wall_ms == 99);
  CHECK(frames[1].event_names == std::vector<std::string>{"number_given", "object_seen"});
  CHECK(frames[1].effect_names == std::vector<std::string>{"total_said", "size_said"});
  CHECK(frames[2].resource == "/v1/configmaps");
  CHECK(frames[2].revision == 5);
  CHECK(frames[3].core == "toy");
  CHECK(frames[3].layout == frames[1].layout);
  CHECK(frames[4].component == "toy");
  CHECK(frames[4].seq == 1);
  CHECK(frames[6].seq == 2);
}

TEST_CASE("files are private and hold no secret") {
  scratch place;
  {
    auto recorder = open_recorder({.directory = place.directory});
    record(*recorder, {-1}, {secret("s")});
  }
  struct stat info {};
  REQUIRE(stat(place.directory.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  for (auto& file : fs::directory_iterator(place.directory)) {
    REQUIRE(stat(file.path().c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
  bool seen = false;
  for (auto& frame : all_frames(place.directory)) {
    CHECK(frame.bytes.find("aHVzaA") == std::string::npos);
    if (frame.kind == trace::frame_kind::object) {
      seen = true;
      CHECK(frame.bytes.find("\"password\"") != std::string::npos);
    }
  }
  CHECK(seen);
}

TEST_CASE("the size stays bounded, and the last segments replay by themselves") {
  scratch place;
  constexpr std::uint64_t bound = 64 << 10;
  std::vector<object_ptr> objects;
  std::mt19937_64 random(3);
  for (int i = 0; i < 600; ++i) {
    std::string noise;
    for (int k = 0; k < 64; ++k) noise += std::to_string(random());
    objects.push_back(config_map("o" + std::to_string(i), 10 + static_cast<std::uint64_t>(i), "u", noise));
  }
  std::vector<int> pings;
  for (int i = 0; i < 600; ++i) {
    pings.push_back(-(i + 1));
    pings.push_back(i);
  }
  {
    auto recorder = open_recorder({.directory = place.directory, .max_bytes = bound, .segment_bytes = 8 << 10});
    simulation::world world(1, recorder.get());
    auto actor = world.system().spawn<toy>(objects);
    for (std::size_t i = 0; i < pings.size(); ++i) {
      caf::anon_send(actor, ping{pings[i]});
      world.run_until_idle();
      if (i % 20 == 0) recorder->flush();  // the thread keeps up, so the core sees each segment change
    }
    recorder->flush();
    CHECK(recorder->segment() > 8);
  }
  std::uint64_t total = 0;
  for (auto& file : fs::directory_iterator(place.directory)) total += file.file_size();
  CHECK(total <= bound + (16 << 10));
  CHECK_FALSE(fs::exists(place.directory + "/00000001.trace.zst"));
  bool matched = false;
  auto report = replay_toy(place.directory, -1, &matched);
  CHECK(report.problem == "");
  CHECK(matched);
  CHECK(report.events > 20);
  CHECK(report.events < pings.size());
}

TEST_CASE("a new recorder goes on numbering and keeps the bound over what was there") {
  scratch place;
  for (int i = 0; i < 3; ++i) {
    auto recorder = open_recorder({.directory = place.directory});
    record(*recorder, {1, 2, 3});
  }
  CHECK(fs::exists(place.directory + "/00000003.trace.zst"));
  auto report = replay_toy(place.directory);
  CHECK(report.problem == "");
  CHECK(report.incarnations == 3);
  CHECK(report.events == 9);
}

TEST_CASE("a file that ends anywhere reads up to there and replays") {
  scratch place;
  {
    auto recorder = open_recorder({.directory = place.directory});
    std::vector<int> pings;
    for (int i = 0; i < 200; ++i) pings.push_back(i);
    record(*recorder, pings);
  }
  auto file = place.directory + "/00000001.trace.zst";
  auto size = fs::file_size(file);
  for (auto keep : {size - 1, size - 20, size / 2}) {
    auto copy = place.path + "/cut.trace.zst";
    fs::copy_file(file, copy, fs::copy_options::overwrite_existing);
    fs::resize_file(copy, keep);
    auto reader = trace::reader::open(copy);
    REQUIRE(reader);
    trace::frame next;
    while (reader->next(next)) {
    }
    CHECK(reader->error().message == "");
    CHECK(reader->truncated());
  }
}

/// Reads everything there is: whatever the bytes are, the outcome is an error or an end. Returns all frames.
std::string read_all(const std::string& path, bool& failed, bool& cut) {
  std::string all;
  auto reader = trace::reader::open(path);
  REQUIRE(reader);
  trace::frame next;
  while (reader->next(next)) {
    all += reader->name_of(next) + trace::describe_bytes(next.bytes);
    all += trace::pack_again(next);
  }
  failed = !reader->error().ok();
  cut = reader->truncated();
  CHECK((reader->error().ok() || reader->error().message.find(path) != std::string::npos));
  return all;
}

TEST_CASE("a damaged file is an error, never nonsense and never the end of the process") {
  scratch place;
  {
    auto recorder = open_recorder({.directory = place.directory});
    std::vector<int> pings;
    for (int i = 0; i < 300; ++i) pings.push_back(i % 7 == 0 ? -1 : i);
    record(*recorder, pings, {config_map("one", 5, "u1")});
  }
  auto file = place.directory + "/00000001.trace.zst";
  std::ifstream in(file, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  auto copy = place.path + "/damaged.trace.zst";
  bool failed = false, cut = false;
  auto right = read_all(file, failed, cut);
  CHECK_FALSE((failed || cut));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    auto damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    std::ofstream(copy, std::ios::binary) << damaged;
    auto got = read_all(copy, failed, cut);
    bool harmless = got == right;  // a bit of the header that nobody reads
    CHECK((failed || cut || harmless));
    if (at % 7 != 0 || harmless) continue;
    bool matched = true;
    replay_toy(copy, -1, &matched);
    CHECK_FALSE(matched);
  }
  for (std::size_t keep = 0; keep < bytes.size(); keep += 3) {
    std::ofstream(copy, std::ios::binary) << bytes.substr(0, keep);
    read_all(copy, failed, cut);
    CHECK_FALSE(failed);
    CHECK(cut);
  }
}

/// A file of these bytes, compressed as segments are.
void write_compressed(const std::string& path, const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 1));
  std::ofstream(path, std::ios::binary) << out;
}

TEST_CASE("bytes that decompress but are no trace: huge lengths, deep nesting, noise") {
  scratch place;
  auto file = place.path + "/odd.trace.zst";
  auto opening = trace::pack_opening("x", 1, "");
  std::vector<std::string> odd = {std::string("\xdd\xff\xff\xff\xff", 5),        // an array of four thousand million
                                  std::string("\xdf\xff\xff\xff\xff", 5),        // a map as large
                                  std::string("\xc6\xff\xff\xff\xff", 5) + "x",  // binary as large
                                  std::string(1 << 20, '\x91'),                  // nested a million deep
                                  std::string(100, '\x01'),
                                  std::string("\xc1"),
                                  std::string("\x91\x63")};
  std::mt19937_64 random(4);
  for (int i = 0; i < 300; ++i) {
    std::string noise;
    for (int k = 0; k < 64; ++k) noise += static_cast<char>(random());
    odd.push_back(noise);
  }
  bool failed = false, cut = false;
  for (const auto& bytes : odd) {
    write_compressed(file, opening + bytes);
    read_all(file, failed, cut);
    CHECK((failed || cut));
  }
  for (const auto& bytes : odd) CHECK(trace::describe_bytes(bytes).size() > 0);
}

TEST_CASE("a segment is read while it is being written") {
  scratch place;
  auto recorder = open_recorder({.directory = place.directory});
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) {
      for (int k = 0; k < 50; ++k)
        recorder->add({"gateway", 1, "request " + std::to_string(i * k), "default/a", "u", 12, 34, {}, {}});
      recorder->flush();
    }
    done = true;
  });
  std::uint64_t most = 0;
  while (!done) {
    auto reader = trace::reader::open(place.directory);
    REQUIRE(reader);
    std::uint64_t seen = 0;
    trace::frame next;
    while (reader->next(next)) ++seen;
    CHECK(reader->error().message == "");
    CHECK(reader->truncated());
    CHECK(seen >= most);
    most = seen;
  }
  writer.join();
}

TEST_CASE("another format is refused with what to do") {
  scratch place;
  auto file = place.path + "/old.trace.zst";
  write_compressed(file, trace::pack_opening("x", 1, "", 1));
  auto reader = trace::reader::open(file);
  REQUIRE(reader);
  trace::frame next;
  CHECK_FALSE(reader->next(next));
  CHECK(reader->error().message == file + ": recorded in format 1, this program reads format " +
                                       std::to_string(trace::format_version) + ": record it anew");
}

TEST_CASE("a core whose events have changed is told apart from one that decides differently") {
  scratch place;
  {
    auto recorder = open_recorder({.directory = place.directory});
    record(*recorder, {1, 2});
  }
  trace::replay_registry cores;
  cores.add(trace::make_replayable<toy_event, other_said>(
      "toy", [](std::string_view) { return std::make_unique<int>(0); },
      [](int&, const toy_event&) { return std::vector<other_said>(); }));
  auto report = trace::replay(place.directory, cores);
  REQUIRE(report.components.size() == 1);
  CHECK_FALSE(report.matched());
  CHECK(report.components[0].problem ==
        "the events and effects of toy have changed since this trace was recorded: record it anew (total_said then, "
        "other_said now)");
}

TEST_CASE("what does not fit the queue is dropped and counted, and a replay says so") {
  scratch place;
  std::uint64_t dropped = 0;
  {
    auto recorder = open_recorder({.directory = place.directory, .queue_bytes = 2'000});
    std::vector<int> pings(5'000, 1);
    record(*recorder, pings);
    dropped = recorder->dropped();
  }
  REQUIRE(dropped > 0);
  std::uint64_t told = 0;
  for (auto& frame : all_frames(place.directory))
    if (frame.kind == trace::frame_kind::dropped) told += frame.count;
  CHECK(told == dropped);
  auto report = replay_toy(place.directory);
  CHECK(report.why_skipped.find("dropped") != std::string::npos);
}

TEST_CASE("hops and causes are read back") {
  scratch place;
  {
    auto recorder = open_recorder({.directory = place.directory});
    recorder->add({"gateway", 34, "request", "pods default/a", "u", 12, 7, {{"request", "client", 5}}, {{"sent", 36}}});
    recorder->flush();
  }
  auto frames = all_frames(place.directory);
  REQUIRE(frames.size() == 2);
  CHECK(frames[1].what == "request");
  CHECK(frames[1].name == "pods default/a");
  CHECK(frames[1].revision == 12);
  CHECK(frames[1].id == 7);
  CHECK(frames[1].marks == std::vector<trace::mark>{{"sent", 36}});
  REQUIRE(frames[1].causes.size() == 1);
  CHECK(frames[1].causes[0].number == 5);
}

TEST_CASE("a directory that cannot be made is an error") {
  CHECK_FALSE(trace::recorder::open({.directory = "/proc/no/such"}));
  CHECK_FALSE(trace::reader::open("/no/such/trace"));
}
