// The recorded runs replay in full with the cores as they are now, and one changed effect is found at its event.
#include <doctest/doctest.h>

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <zstd.h>

#include "runtime/placement/replays.hpp"
#include "runtime/trace/story.hpp"
#include "tests/traces/scenes.hpp"

using namespace troupe;

namespace {

namespace fs = std::filesystem;

std::string file_of(const std::string& scene) {
  return std::string(TROUPE_SOURCE_DIR) + "/tests/traces/" + scene + ".trace.zst";
}

struct scratch {
  scratch() {
    char pattern[] = "/tmp/troupe-traces-XXXXXX";
    path = mkdtemp(pattern);
  }
  ~scratch() { fs::remove_all(path); }
  std::string path;
};

void require_match(const std::string& file, std::map<std::string, std::uint64_t>& events_of) {
  auto report = trace::replay(file, runtime::replayable_cores());
  CHECK(report.problem == "");
  CHECK_FALSE(report.truncated);
  for (const auto& one : report.components) {
    CAPTURE(one.component);
    CHECK(one.problem == "");
    CHECK(one.why_skipped == "");
    CHECK(one.skipped == 0);
    events_of[one.core] += one.events;
  }
  CHECK(report.matched());
}

std::vector<trace::frame> frames_of(const std::string& file) {
  auto source = trace::reader::open(file);
  REQUIRE(source);
  std::vector<trace::frame> all;
  trace::frame next;
  while (source->next(next)) all.push_back(next);
  REQUIRE(source->error().message == "");
  return all;
}

void write_frames(const std::string& file, const std::vector<trace::frame>& frames) {
  std::string bytes;
  for (const auto& one : frames) bytes += trace::pack_again(one);
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 1));
  std::ofstream(file, std::ios::binary) << out;
}

/// Changes something that the effect says: the last byte of its msgpack, or, where it says nothing, which effect it is.
void mutate(trace::frame& effect) {
  if (effect.bytes.size() > 1)
    effect.bytes.back() = static_cast<char>(effect.bytes.back() ^ 1);
  else
    effect.alternative ^= 1;
}

}  // namespace

TEST_CASE("every recorded run replays in full") {
  std::map<std::string, std::uint64_t> events_of;
  for (const auto& scene : traces::scenes()) {
    CAPTURE(scene.name);
    require_match(file_of(scene.name), events_of);
  }
  for (const char* core :
       {"scheduler", "kubelet/node", "kubelet/pod", "controller/deployment-controller",
        "controller/replicaset-controller", "controller/node-controller", "controller/endpointslice-controller",
        "controller/generic-garbage-collector", "controller/namespace-controller",
        "controller/serviceaccount-controller", "controller/root-ca-cert-publisher"}) {
    CAPTURE(core);
    CHECK(events_of[core] > 0);
  }
}

TEST_CASE("one changed effect of each core is found at its exact event") {
  scratch place;
  auto file = place.path + "/changed.trace.zst";
  auto frames = frames_of(file_of("silent_node"));
  std::map<std::string, std::string> core_of;  // by component
  std::map<std::string, std::vector<std::size_t>> effects_of;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (frames[i].kind == trace::frame_kind::state) core_of[frames[i].component] = frames[i].core;
    if (frames[i].kind == trace::frame_kind::effect) effects_of[core_of[frames[i].component]].push_back(i);
  }
  for (const char* core : {"scheduler", "kubelet/node", "kubelet/pod", "controller/deployment-controller",
                           "controller/replicaset-controller", "controller/node-controller"}) {
    CAPTURE(core);
    auto& all = effects_of[core];
    REQUIRE(all.size() > 2);
    for (auto at : {all.front(), all[all.size() / 2], all.back()}) {
      auto changed = frames;
      mutate(changed[at]);
      write_frames(file, changed);
      auto report = trace::replay(file, runtime::replayable_cores());
      CHECK(report.problem == "");
      CHECK_FALSE(report.matched());
      std::size_t different = 0;
      for (const auto& one : report.components) {
        if (one.problem.empty()) continue;
        ++different;
        CHECK(one.component == frames[at].component);
        CHECK(one.bad_event == frames[at].seq);
      }
      CHECK(different == 1);
    }
  }
}

TEST_CASE("an effect too few and an effect too many are found") {
  scratch place;
  auto file = place.path + "/changed.trace.zst";
  auto frames = frames_of(file_of("rollout"));
  auto bind = std::find_if(frames.begin(), frames.end(), [](const trace::frame& one) {
    return one.kind == trace::frame_kind::effect && one.component == "root/scheduler";
  });
  REQUIRE(bind != frames.end());
  auto without = frames;
  without.erase(without.begin() + (bind - frames.begin()));
  write_frames(file, without);
  auto report = trace::replay(file, runtime::replayable_cores(), {"root/scheduler"});
  REQUIRE(report.components.size() == 1);
  CHECK(report.components[0].bad_event == bind->seq);
  auto twice = frames;
  twice.insert(twice.begin() + (bind - frames.begin()), *bind);
  write_frames(file, twice);
  report = trace::replay(file, runtime::replayable_cores(), {"root/scheduler"});
  REQUIRE(report.components.size() == 1);
  CHECK(report.components[0].bad_event == bind->seq);
}

TEST_CASE("a missing event is found") {
  scratch place;
  auto file = place.path + "/changed.trace.zst";
  auto frames = frames_of(file_of("rollout"));
  auto gone = std::find_if(frames.begin(), frames.end(), [](const trace::frame& one) {
    return one.kind == trace::frame_kind::event && one.component == "root/scheduler" && one.seq == 3;
  });
  REQUIRE(gone != frames.end());
  frames.erase(gone);
  write_frames(file, frames);
  auto report = trace::replay(file, runtime::replayable_cores(), {"root/scheduler"});
  REQUIRE(report.components.size() == 1);
  CHECK(report.components[0].problem.find("events 3 to 3 are missing") != std::string::npos);
}

TEST_CASE("the story of each pod of a rollout is whole: its parts follow causes and add up") {
  auto file = file_of("rollout");
  std::set<std::string> names;
  for (const auto& one : frames_of(file))
    if (one.kind == trace::frame_kind::object && one.resource == "/v1/pods") names.insert(one.name);
  REQUIRE(names.size() >= 6);  // three, and three again
  for (const auto& name : names) {
    CAPTURE(name);
    auto told = trace::tell_story(file, {"pods", "default", name});
    REQUIRE(told);
    REQUIRE(told->parts.size() >= 2);
    CHECK(told->parts[0].title == "created by replicaset");
    CHECK(told->parts[1].title == "on to Running");
    CHECK(told->parts[1].lines.size() > 15);
    std::set<std::string> seen;
    for (std::size_t i = 0; i < 2; ++i) {
      auto at = told->parts[i].begin_us;
      for (const auto& line : told->parts[i].lines) {
        CHECK(line.time_us >= at);
        at = line.time_us;
        seen.insert(line.from);
        seen.insert(line.to);
        CHECK(line.what.find("alternative") == std::string::npos);
      }
    }
    CHECK(told->parts[1].end_us() - told->parts[0].begin_us == told->running_in_us);
    for (const char* who : {"replicaset", "api_server", "store", "cacher", "scheduler", "kubelet", "runtime"}) {
      CAPTURE(who);
      CHECK(seen.count(who) == 1);
    }
  }
  CHECK(trace::tell_story(file, {"deployments.apps", "default", "web"}));
  CHECK_FALSE(trace::tell_story(file, {"pods", "default", "nobody"}));
}

TEST_CASE("recording a scene twice gives the same frames") {
  scratch place;
  const auto& scene = traces::scenes().front();
  std::vector<std::string> seen[2];
  for (auto& frames : seen) {
    auto file = place.path + "/again.trace.zst";
    traces::record(scene, file);
    std::map<std::string, std::uint64_t> events_of;
    require_match(file, events_of);
    for (const auto& one : frames_of(file)) frames.push_back(trace::pack_again(one));
  }
  CHECK(seen[0].size() > 100);
  CHECK(seen[0] == seen[1]);
}
