// See pod_network.hpp.
#include "actors/pod_network/pod_network.hpp"

#include <algorithm>
#include <utility>

#include "actors/pod_network/core.hpp"
#include "messages/views/core_v1.hpp"
#include "runtime/api_session.hpp"
#include "runtime/component.hpp"
#include "runtime/informer.hpp"
#include "runtime/log.hpp"

namespace troupe::pod_network {
namespace {

using namespace runtime;

using shell_actor = caf::typed_actor<caf::reacts_to<api::response>, caf::reacts_to<api::watch_delivery>,
                                     caf::reacts_to<container::reply>>;

node_observed facts_of(const object& node) {
  node_observed out{std::string(node.name), {}, {}};
  auto content = document::parse(node.json.view());
  if (!content) return out;
  core_v1::node_view view(*content);
  out.pod_cidr = std::string(view.spec().pod_cidr());
  for (auto one : view.status().addresses())
    if (one.type() == "InternalIP" && out.address.empty()) out.address = std::string(one.address());
  return out;
}

class shell final : public component<shell_actor> {
 public:
  shell(caf::actor_config& settings, options how)
      : component(settings, "pod_network"),
        how_(std::move(how)),
        session_(*this, how_.server, session_settings()),
        nodes_(session_, all_nodes(), handlers()),
        routes_(how_.make_routes ? how_.make_routes() : nullptr) {
    state_.address = how_.address;
    state_.cluster = how_.cluster;
    for (const auto& [name, runtime] : how_.nodes) state_.own[name];
    set_exit_handler([this](caf::exit_msg& order) {
      if (order.reason == caf::exit_reason::user_shutdown && routes_)
        for (const auto& [range, via] : state_.routes) routes_->drop(range);
      quit(std::move(order.reason));
    });
  }

  behavior_type make_behavior() override {
    nodes_.start();
    return {[this](const api::response& m) { session_.handle(m); },
            [this](const api::watch_delivery& m) { session_.handle(m); },
            [this](const container::reply& m) { on_reply(m); }};
  }

 private:
  static session_options session_settings() {
    session_options out;
    out.user = component_user("system:kube-proxy");
    out.user_agent = "pod-network";
    return out;
  }
  static informer_options all_nodes() {
    informer_options out;
    out.collection = "/api/v1/nodes";
    out.keep_objects = false;
    return out;
  }
  informer_handlers handlers() {
    informer_handlers out;
    out.added = [this](const object_ptr& now) { feed(facts_of(*now)); };
    out.modified = [this](const object_ptr&, const object_ptr& now) { feed(facts_of(*now)); };
    out.deleted = [this](const std::string& key, const object_ptr&) { feed(node_removed{key}); };
    out.synced = [this] { feed(nodes_known{}); };
    return out;
  }

  void feed(const event& what) {
    for (auto& one : step(state_, what)) std::visit([this](auto& x) { perform(x); }, one);
  }

  void perform(const use_range& m) {
    log(log_level::info, "pod_network.range", "node=" + m.node + " pod_cidr=" + m.pod_cidr);
    if (how_.use_range) complain("range", m.pod_cidr, how_.use_range(m.node, m.pod_cidr));
    const auto& runtime = how_.nodes.at(m.node);
    if (!runtime) return;
    container::request ask;
    ask.id = next_++;
    ask.what = container::update_network{m.pod_cidr};
    send_to(runtime.handle(), std::move(ask));
  }
  void perform(const set_route& m) {
    if (!routes_) return;
    auto bad = routes_->set(m.pod_cidr, m.via);
    complain("route", m.pod_cidr + " via " + m.via, bad);
    if (bad.empty()) log(log_level::info, "pod_network.route", "pod_cidr=" + m.pod_cidr + " via=" + m.via);
  }
  void perform(const drop_route& m) {
    if (routes_) complain("route", m.pod_cidr, routes_->drop(m.pod_cidr));
  }
  void perform(const range_refused& m) {
    log(log_level::warn, "pod_network.range_refused", "node=" + m.node + " pod_cidr=" + log_value(m.pod_cidr));
  }
  void perform(const keep_routes& m) {
    if (!routes_) return;
    for (const auto& one : routes_->ours())
      if (std::find(m.pod_cidrs.begin(), m.pod_cidrs.end(), one) == m.pod_cidrs.end())
        complain("route", one, routes_->drop(one));
  }

  void on_reply(const container::reply& m) {
    if (!m.error.ok()) log(log_level::warn, "pod_network.runtime_refused", log_value(m.error.message));
  }
  void complain(const char* what, const std::string& which, const std::string& why) const {
    if (!why.empty())
      log(log_level::error, "pod_network.failed",
          std::string(what) + "=" + log_value(which) + " why=" + log_value(why));
  }

  options how_;
  state state_;
  api_session session_;
  informer nodes_;
  std::unique_ptr<route_table> routes_;
  std::uint64_t next_ = 1;
};

}  // namespace

runtime::child_spec child(options how) {
  return runtime::child<shell_actor>("pod_network",
                                     [how = std::move(how)](caf::actor_system& in) { return in.spawn<shell>(how); });
}

}  // namespace troupe::pod_network
