#include "tests/traces/scenes.hpp"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "runtime/trace/recorder.hpp"

namespace troupe::traces {

namespace {

using namespace flows;

void must(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(std::string("the scene does not come about: ") + what);
}

// A literal whole: GCC 12 warns of std::string + text that it inlines (its bug 105329).
constexpr const char* web = "/apis/apps/v1/namespaces/default/deployments/web";

void rollout(cluster& troupe) {
  must(troupe.post(deployments_path, deployment_json(3, "nginx:1")).code == 201, "the Deployment is accepted");
  must(troupe.settles(3, 60s), "three pods run");
  auto before = troupe.pods();
  must(troupe.merge(web, R"({"spec":{"template":{"metadata":{"annotations":{"v":"2"}}}}})").code == 200, "a patch");
  must(troupe.wait(
           [&] {
             auto now = troupe.pods();
             auto old = [&](const pod_row& one) {
               return std::any_of(before.begin(), before.end(), [&](const pod_row& was) { return was.uid == one.uid; });
             };
             return now.size() == 3 && std::none_of(now.begin(), now.end(), old);
           },
           180s),
       "all pods are new");
  must(troupe.call(api::method::del, web).code == 200, "the Deployment is deleted");
  must(troupe.wait([&] { return troupe.pods().empty(); }, 120s), "its pods go");
}

void silent_node(cluster& troupe) {
  must(troupe.post(deployments_path, deployment_json(3, "nginx:1")).code == 201, "the Deployment is accepted");
  must(troupe.settles(3, 60s), "three pods run");
  auto silent = troupe.pods().front().node;
  troupe.cut_off(silent);
  must(troupe.wait(
           [&] {
             std::size_t elsewhere = 0;
             for (auto& pod : troupe.pods()) elsewhere += pod.ready && !pod.deleting && pod.node != silent;
             return elsewhere == 3;
           },
           420s),
       "the pods are replaced");
}

void crashes(cluster& troupe) {
  must(troupe.post(deployments_path, deployment_json(2, "nginx:1")).code == 201, "the Deployment is accepted");
  std::size_t count = 2;
  for (const char* path : {"root/scheduler", "root/controller_manager/deployment/deployment-controller",
                           "root/controller_manager/replicaset/replicaset-controller", "root/nodes/hollow-0/kubelet"}) {
    troupe.pass(300ms);
    must(troupe.crash(path), path);
    ++count;
    auto scale = "{\"spec\":{\"replicas\":" + std::to_string(count) + "}}";
    must(troupe.merge(web, scale).code == 200, "scaled");
    must(troupe.settles(count, 120s), "all pods run");
  }
}

}  // namespace

const std::vector<scene>& scenes() {
  static const std::vector<scene> all = {
      {"rollout", 2, rollout}, {"silent_node", 3, silent_node}, {"crashes", 2, crashes}};
  return all;
}

void record(const scene& what, const std::string& file) {
  namespace fs = std::filesystem;
  char pattern[] = "/tmp/troupe-scene-XXXXXX";
  std::string place = mkdtemp(pattern);
  trace::recorder_options how;
  how.directory = place + "/trace";
  how.configuration = "scene " + what.name;
  how.queue_bytes = std::uint64_t{1} << 30;
  auto recorder = trace::recorder::open(std::move(how));
  if (!recorder) throw std::runtime_error(recorder.error().message);
  {
    simulated troupe({.seed = 20, .nodes = what.nodes, .recorder = recorder->get()});
    what.play(troupe);
  }
  recorder->reset();
  fs::copy_file(place + "/trace/00000001.trace.zst", file, fs::copy_options::overwrite_existing);
  fs::remove_all(place);
}

}  // namespace troupe::traces
