// See cluster.hpp.
#include "tests/flows/cluster.hpp"

#include <algorithm>
#include <stdexcept>

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
  probe(caf::actor_config& settings, std::shared_ptr<answer_box> into)
      : component(settings, "kubectl"), into_(std::move(into)) {}
  behavior_type make_behavior() override {
    return {[this](const api::response& answer) { into_->put(answer); }, [](const api::watch_delivery&) {}};
  }

 private:
  std::shared_ptr<answer_box> into_;
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

void answer_box::put(const api::response& answer) {
  std::lock_guard guard(mutex_);
  answers_[answer.id] = answer;
  come_.notify_all();
}

bool answer_box::has(std::uint64_t id) {
  std::lock_guard guard(mutex_);
  return answers_.count(id) > 0;
}

std::optional<api::response> answer_box::take(std::uint64_t id, std::chrono::seconds within) {
  std::unique_lock guard(mutex_);
  if (!come_.wait_for(guard, within, [&] { return answers_.count(id) > 0; })) return {};
  return std::move(answers_.extract(id).mapped());
}

cluster::~cluster() = default;

void cluster::begin(caf::actor_system& client_system, stable_ref<api::api_server_actor> server, std::size_t nodes) {
  server_ = std::move(server);
  client_ = caf::actor_cast<caf::strong_actor_ptr>(client_system.spawn<probe>(answers_));
  user_ = component_user("kubernetes-admin", {"system:masters"});
  if (!wait([&] { return nodes_ready(nodes); }, 60s)) throw std::runtime_error("the nodes do not get ready");
}

void cluster::end() {
  client_ = nullptr;
  server_ = {};
}

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
  auto answer = await(*answers_, last_id_, 120s);
  if (!answer) throw std::runtime_error("no answer");
  return std::move(*answer);
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
  auto end = now_us() + static_cast<std::uint64_t>(within.count()) * 1'000'000;
  while (!holds()) {
    if (now_us() >= end) return false;
    pass(between_looks());
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
