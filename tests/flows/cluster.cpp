#include "tests/flows/cluster.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include <spdlog/spdlog.h>

#include "messages/document.hpp"
#include "messages/type_ids.hpp"
#include "runtime/api_session.hpp"
#include "runtime/component.hpp"

namespace troupe::flows {

namespace {

using namespace runtime;

/// Keeps the answers it gets.
class probe final : public component<api::client_actor> {
 public:
  using box = std::shared_ptr<std::map<std::uint64_t, api::response>>;
  probe(caf::actor_config& settings, box into) : component(settings, "kubectl"), into_(std::move(into)) {}
  behavior_type make_behavior() override {
    return {[this](const api::response& answer) { (*into_)[answer.id] = answer; }, [](const api::watch_delivery&) {}};
  }

 private:
  box into_;
};

std::string text_at(const node& from, std::string_view key) {
  const auto* found = from.find(key);
  return found ? std::string(found->string()) : std::string();
}

/// Whether the condition of that type is "True".
bool condition(const node& object, std::string_view type) {
  const auto* all = object.find("status", "conditions");
  if (!all) return false;
  for (auto* one = all->begin_elements(); one != all->end_elements(); ++one)
    if (text_at(*one, "type") == type) return text_at(*one, "status") == "True";
  return false;
}

/// The items of a list answer, parsed.
template <class Take>
void each_item(const api::response& answer, Take&& take) {
  auto parsed = document::parse(body_of(answer));
  if (!parsed) throw std::runtime_error("no JSON: " + parsed.error().message);
  const auto* items = parsed->root().find("items");
  if (!items) throw std::runtime_error("no list: " + body_of(answer));
  for (auto* item = items->begin_elements(); item != items->end_elements(); ++item) take(*item);
}

}  // namespace

cluster::cluster(options how)
    : world(how.seed, how.recorder), answers(std::make_shared<std::map<std::uint64_t, api::response>>()) {
  // What crashes on purpose is not worth a line; TROUPE_SIM_LOG=1 shows all.
  spdlog::set_level(std::getenv("TROUPE_SIM_LOG") ? spdlog::level::debug : spdlog::level::err);
  world.setup().allow_crash = true;
  config_.nodes.count = static_cast<std::int64_t>(how.nodes);
  config_.nodes.runtime = "hollow";
  surroundings around;
  around.storage = store::in_memory();
  around.authority = "-----BEGIN CERTIFICATE-----\nof a simulation\n-----END CERTIFICATE-----\n";
  auto host = machine::open(config_);
  if (!host) throw std::runtime_error(host.error().message);
  host_ = std::move(*host);
  around.host = host_.get();
  auto graph = make_graph(world.system(), config_, std::move(around));
  shared = graph.shared;
  server_ = graph.server;
  root_ = spawn_supervisor(world.system(), "root", std::move(graph.children));
  client_ = caf::actor_cast<caf::strong_actor_ptr>(world.system().spawn<probe>(answers));
  user_ = component_user("kubernetes-admin", {"system:masters"});
  if (!world.run_until([this] { return shared->ready(); }, 60s)) throw std::runtime_error("the API does not get ready");
  if (!wait([&] { return nodes_ready(how.nodes); }, 60s)) throw std::runtime_error("the nodes do not get ready");
}

cluster::~cluster() = default;

api::response cluster::call(api::method verb, std::string target, std::string body, std::string type) {
  api::request asked;
  asked.id = ++last_id_;
  asked.verb = verb;
  asked.target = std::move(target);
  if (!body.empty()) asked.body = shared_bytes(std::move(body));
  asked.content_type = std::move(type);
  asked.user_agent = "kubectl/v1.35.0 (linux/amd64)";
  asked.user = user_;
  auto* to = caf::actor_cast<caf::abstract_actor*>(server_.handle());
  to->enqueue(client_, caf::make_message_id(), caf::make_message(std::move(asked)), nullptr);
  auto id = last_id_;
  if (!world.run_until([&] { return answers->count(id) > 0; }, 120s)) throw std::runtime_error("no answer");
  return answers->at(id);
}

bool cluster::nodes_ready(std::size_t count) {
  std::size_t ready = 0;
  each_item(get("/api/v1/nodes"), [&](const node& one) { ready += condition(one, "Ready"); });
  return ready == count;
}

std::vector<pod_row> cluster::pods() {
  std::vector<pod_row> out;
  each_item(get(pods_path), [&](const node& pod) {
    pod_row row;
    if (const auto* meta = pod.find("metadata")) {
      row.name = text_at(*meta, "name");
      row.uid = text_at(*meta, "uid");
      row.deleting = meta->find("deletionTimestamp") != nullptr;
    }
    if (const auto* spec = pod.find("spec")) row.node = text_at(*spec, "nodeName");
    if (const auto* status = pod.find("status")) row.phase = text_at(*status, "phase");
    row.ready = condition(pod, "Ready");
    out.push_back(std::move(row));
  });
  std::sort(out.begin(), out.end(), [](const pod_row& a, const pod_row& b) { return a.name < b.name; });
  return out;
}

bool cluster::wait(const std::function<bool()>& holds, std::chrono::seconds within) {
  auto end = world.now_us() + static_cast<std::uint64_t>(within.count()) * 1'000'000;
  while (!holds()) {
    if (world.now_us() >= end) return false;
    world.run_for(200ms);
  }
  return true;
}

bool cluster::settles(std::size_t running, std::chrono::seconds within) {
  return wait(
      [&] {
        auto now = pods();
        return now.size() == running && std::all_of(now.begin(), now.end(), [](const pod_row& pod) {
                 return pod.phase == "Running" && pod.ready && !pod.deleting;
               });
      },
      within);
}

std::string body_of(const api::response& answer) {
  std::string out;
  for (const auto& part : answer.body) out += part.view();
  return out;
}

std::string deployment_json(int replicas, const std::string& image) {
  return R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":)" +
         std::to_string(replicas) +
         R"(,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{)" +
         R"("containers":[{"name":"c","image":")" + image + R"("}]}}}})";
}

std::string pod_json(const std::string& name) {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name + R"("},"spec":{"containers":[)" +
         R"({"name":"c","image":"nginx"}]}})";
}

}  // namespace troupe::flows
