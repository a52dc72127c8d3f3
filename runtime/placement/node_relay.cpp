// See node_relay.hpp.
#include "runtime/placement/node_relay.hpp"

#include <utility>

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

namespace troupe::runtime {

node_relay::node_relay(caf::actor_config& settings) : component(settings, "node_relay") {
  set_down_handler([this](const caf::down_msg& down) {
    peers_.gone(down.source);
    logs_.on_down(down.source);
    streams_.on_down(down.source);
  });
}

node_relay::behavior_type node_relay::make_behavior() {
  return {[this](const relay_request& m) {
            if (m.asked.subresource == "log")
              logs_.open(m);
            else
              streams_.open(m);
          },
          [this](const relay_stop& m) { logs_.stop(m.watch_id); },
          [this](const stream::log_taken& m) { logs_.taken(m.watch_id); },
          [this](const container::log_chunk& m) { logs_.pass_on(current_sender(), m); },
          [this](const stream::opened& m) { streams_.on_opened(current_sender(), m); },
          [this](const stream::connect& m) { streams_.on_connect(current_sender(), m); },
          [this](const stream::chunk& m) { streams_.on_chunk(current_sender(), m); },
          [this](const stream::credit& m) { streams_.on_credit(current_sender(), m); },
          [this](const stream::close& m) { streams_.on_close(current_sender(), m); },
          [this](const stream::closed& m) { streams_.on_closed(current_sender(), m); }};
}

bool node_relay::cleanup(caf::error&& why, caf::execution_unit* where) {
  logs_.end_all();
  streams_.end_all();
  return component::cleanup(std::move(why), where);
}

api::response refusal(std::uint64_t request_id, const container::failure& why) {
  auto what = why.code == container::fault::not_found       ? make_status(reason::not_found, why.message)
              : why.code == container::fault::unavailable   ? make_status(reason::service_unavailable, why.message)
              : why.code == container::fault::unimplemented ? make_status(reason::not_implemented, why.message)
              : why.code == container::fault::unknown       ? internal_error(why.message)
                                                            : bad_request(why.message);
  api::response answer;
  answer.id = request_id;
  answer.code = what.code;
  answer.error = what;
  answer.body.emplace_back(shared_bytes(to_json(what)));
  return answer;
}

api::node_proxy make_node_proxy(const stream::relay_actor& relay, std::shared_ptr<kubelet_directory> kubelets) {
  return [relay = caf::actor_cast<node_relay_actor>(relay), kubelets = std::move(kubelets)](api::node_request asked) {
    auto kubelet = kubelets->find(asked.node_name);
    if (!kubelet) return false;
    caf::anon_send(relay, relay_request{std::move(asked), std::move(kubelet)});
    return true;
  };
}

api::stream_stopper make_stream_stopper(const stream::relay_actor& relay) {
  return [relay = caf::actor_cast<node_relay_actor>(relay)](std::uint64_t watch_id) {
    caf::anon_send(relay, relay_stop{watch_id});
  };
}

}  // namespace troupe::runtime
