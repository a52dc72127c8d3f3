// Putting the api_server's actors together.
#include "actors/api_server/api_server.hpp"

#include "actors/api_server/bootstrap.hpp"
#include "actors/api_server/cacher/cacher.hpp"
#include "actors/api_server/pipeline/worker.hpp"
#include "actors/api_server/printers/printers.hpp"
#include "runtime/spread_ref.hpp"

namespace troupe::api {

namespace {

using runtime::child_spec;
using runtime::stable_ref;

/// The name of a resource's cacher: unique, also where two groups have the same plural.
std::string cacher_name(std::uint16_t resource) {
  const auto& row = schema::resources()[resource];
  auto name = "cacher-" + std::string(row.plural);
  return row.group.empty() ? name : name + "." + std::string(row.group);
}

std::vector<child_spec> cacher_children(caf::actor_system& system, const std::string& path, shared_state& shared) {
  std::vector<child_spec> out;
  shared.cachers.resize(schema::resources().size());
  for (auto resource : shared.slots->stored()) {
    auto name = cacher_name(resource);
    auto& ref = shared.cachers[resource];
    ref = stable_ref<cacher::cacher_actor>::make(system, path + "/" + name);
    cacher_options options{name, resource, shared.slots, shared.store, ref};
    auto start = [options](caf::actor_system& s) { return s.spawn<cacher_shell>(options); };
    out.push_back(runtime::child<cacher::cacher_actor>(name, start, ref));
  }
  return out;
}

/// Each level of urgency has workers of its own, so that no client waits behind what components report.
struct worker_group {
  urgency level;
  const char* prefix;
  std::size_t count;
};

std::vector<runtime::any_ref> add_workers(caf::actor_system& system, const std::string& path,
                                          const std::shared_ptr<shared_state>& shared, const worker_group& group,
                                          std::vector<child_spec>& children) {
  std::vector<runtime::any_ref> out;
  for (std::size_t i = 0; i < group.count; ++i) {
    auto name = group.prefix + std::to_string(i);
    auto ref = stable_ref<worker_actor>::make(system, path + "/" + name);
    worker_options options{name, shared, ref.any()};
    auto start = [options](caf::actor_system& s) { return s.spawn<worker>(options); };
    children.push_back(runtime::child<worker_actor>(name, start, ref));
    children.back().level = group.level;
    out.push_back(ref.any());
  }
  return out;
}

std::size_t level_of(const caf::type_erased_tuple& message) {
  if (!message.match_elements<request>()) return static_cast<std::size_t>(urgency::serving);
  return static_cast<std::size_t>(message.get_as<request>(0).level);
}

child_spec front_child(const stable_ref<api_server_actor>& self, const std::string& path,
                       const runtime::spread_targets& workers) {
  child_spec spec;
  spec.name = "front";
  spec.reference = self.any();
  spec.start = [path, workers](caf::actor_system& s) {
    return runtime::make_spread(s, path + "/front", workers, level_of);
  };
  return spec;
}

table_objects include_of(const std::string& text) {
  if (text == "None") return table_objects::none;
  return text == "Object" ? table_objects::object : table_objects::metadata;
}

}  // namespace

gateway::event_renderer make_event_renderer() {
  return [](std::string& out, const gateway::watch_head& head, const watch_event& event) {
    append_watch_event(out, head.resource, event, head.format, include_of(head.table_options), head.first,
                       static_cast<std::int64_t>(head.now_ms));
  };
}

made_api_server make_api_server(caf::actor_system& system, const std::string& path, const options& with) {
  auto shared = std::make_shared<shared_state>();
  shared->store = with.store;
  shared->slots->shared_store = with.shared_store;
  shared->proxy = with.proxy;
  shared->stop_stream = with.stop_stream;
  shared->extra = with.extra;
  shared->toleration_seconds = with.toleration_seconds;
  shared->server_address = (with.advertise_address.empty() ? "127.0.0.1" : with.advertise_address) + ":" +
                           std::to_string(with.advertise_port);
  auto children = cacher_children(system, path, *shared);
  runtime::spread_targets workers;
  for (const auto& group : {worker_group{urgency::serving, "worker-", with.workers},
                            worker_group{urgency::deciding, "component-worker-", with.workers},
                            worker_group{urgency::reporting, "report-worker-", 1}})
    workers.push_back(add_workers(system, path, shared, group, children));
  children.push_back(front_child(with.self, path, workers));
  bootstrap_options boot{shared, with.self, with.advertise_address, with.advertise_port};
  auto start_boot = [boot](caf::actor_system& s) { return s.spawn<bootstrapper>(boot); };
  children.push_back(runtime::child<bootstrap_actor>("bootstrap", start_boot, {}, runtime::restart_policy::transient));
  if (with.endpoint) {
    gateway::options gate{with.endpoint, with.self, make_event_renderer(), with.relay};
    for (auto& child : gateway::children(gate)) children.push_back(std::move(child));
  }
  auto name = path.substr(path.rfind('/') + 1);
  auto spec = runtime::supervisor_child(name, std::move(children));
  spec.level = urgency::serving;
  return {std::move(spec), shared};
}

}  // namespace troupe::api
