// A worker: runs requests through the pipeline, many at a time, each a coroutine.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "actors/api_server/pipeline/host.hpp"
#include "actors/api_server/pipeline/request_context.hpp"
#include "actors/api_server/pipeline/shared.hpp"
#include "actors/api_server/pipeline/task.hpp"
#include "messages/timer.hpp"
#include "runtime/component.hpp"

namespace troupe::api {

/// What a worker understands: requests, and the answers it waits for.
using worker_actor =
    caf::typed_actor<caf::reacts_to<request>, caf::reacts_to<watch_stop>, caf::reacts_to<store::txn_reply>,
                     caf::reacts_to<store::range_reply>, caf::reacts_to<store::ack>, caf::reacts_to<cacher::reached>,
                     caf::reacts_to<timer_due>>;

/// What a worker needs.
struct worker_options {
  std::string name;  // among its siblings
  std::shared_ptr<shared_state> shared;
  runtime::any_ref self;  // requests it could not begin any more are sent there
};

/// See the top of this file.
class worker final : public runtime::component<worker_actor>, private request_host {
 public:
  worker(caf::actor_config& settings, worker_options options);
  behavior_type make_behavior() override;
  bool cleanup(caf::error&& why, caf::execution_unit* where) override;

 private:
  /// One request under way.
  struct frame {
    std::uint64_t id = 0;
    api::request incoming;
    api::client_actor client;
    request_context context;
    task<result<api::response>> run;
    std::vector<std::pair<std::uint16_t, cacher::open_watch>> watches;  // to be opened behind the answer
    // For traces, of requests that change something.
    std::uint64_t begun_us = 0;  // 0: not recorded
    std::uint64_t revision = 0;  // that it wrote
    std::vector<std::pair<std::string, std::uint64_t>> marks;
  };

  void on_request(api::request& incoming);
  void on_watch_stop(const watch_stop& stop);
  void on_store(const supervision::ref_changed& change);
  template <class Call, class Reply>
  void on_reply(const Reply& reply);
  void on_ack(const store::ack& reply);
  void on_reached(const cacher::reached& reply);
  void on_sweep();
  void go_on(pending_call& call);
  void finish(frame& f);
  void record(const frame& f, const api::response& answer);
  void note_commit(transaction_call& call);
  void send_order(pending_call& call);
  void arm_sweep();

  task<result<api::response>> serve(frame& f);
  result<api::response> answer_path(frame& f);

  // request_host
  object_slots& slots() override { return *options_.shared->slots; }
  authorizer& judge() override { return judge_; }
  std::uint64_t steady_ms() override { return steady_now_us() / 1000; }
  std::string new_uid() override { return actor_context::new_uid(); }
  std::int64_t toleration_seconds() const override { return options_.shared->toleration_seconds; }
  std::uint64_t random() override { return random_u64(); }
  std::int64_t shared_lease(std::int64_t ttl_seconds) override;
  void open_watch(std::uint16_t resource, cacher::open_watch order) override;
  std::uint64_t new_watch_id(std::uint16_t resource) override;
  bool delegate(request_context& context, const object_ptr& pod, const std::string& container) override;
  bool started() const override { return options_.shared->ready(); }
  void mark(const char* what) override {
    if (current_ && current_->begun_us > 0) current_->marks.emplace_back(what, steady_now_us());
  }
  void begin(pending_call& call) override;
  void forget(pending_call& call) override;

  worker_options options_;
  authorizer judge_;
  // Calls outlive nothing: they live in the frames, which are destroyed first.
  std::map<std::uint64_t, pending_call*> pending_;
  std::map<std::uint64_t, std::unique_ptr<frame>> frames_;
  frame* current_ = nullptr;
  std::uint64_t next_id_ = 1;
  bool sweeping_ = false;
  std::uint64_t store_incarnation_ = 0;
  std::int64_t lease_ = 0;
  std::uint64_t lease_until_ms_ = 0;  // steady: for how long it is handed out
};

}  // namespace troupe::api
