// The cacher actor of one resource: keeps in step with the store, publishes snapshots, feeds watches.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "actors/api_server/cacher/core.hpp"
#include "actors/api_server/cacher/slots.hpp"
#include "messages/cacher.hpp"
#include "runtime/component.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::api {

/// What a cacher needs.
struct cacher_options {
  std::string name;            // among its siblings
  std::uint16_t resource = 0;  // a stored one
  std::shared_ptr<object_slots> slots;
  runtime::stable_ref<store::store_actor> store;
  runtime::stable_ref<cacher::cacher_actor> self;  // requests it could not handle any more are sent there
};

/// See the top of this file. It lists the store in pages at one revision, then watches from there. After a restart of
/// the store it resumes where it was, or lists again when that is compacted.
class cacher_shell final : public runtime::component<cacher::cacher_actor> {
 public:
  cacher_shell(caf::actor_config& settings, cacher_options options);
  behavior_type make_behavior() override;
  bool cleanup(caf::error&& why, caf::execution_unit* where) override;

 private:
  struct waiter {
    caf::strong_actor_ptr who;
    cacher::wait_for wanted;
  };

  void list();
  void list_page(std::string from);
  void watch_store();
  void on_store(const supervision::ref_changed& change);
  void on_page(const store::range_reply& page);
  void on_started(const store::watch_started& started);
  void on_changes(const store::watch_events& changes);
  void on_open(const cacher::open_watch& wanted);
  void on_close(const cacher::close_watch& wanted);
  void on_wait(const cacher::wait_for& wanted);
  void on_tick();
  void publish();
  void record(const store::watch_events& changes, std::uint64_t begun_us, std::uint64_t published_us);
  void answer_waiters();
  void send_all(deliveries what);
  std::uint64_t recipient_number(const api::client_actor& who);
  void on_down(const caf::actor_addr& gone);
  void arm_timer();
  std::uint64_t progress_revision() const;
  std::uint64_t now_ms() const { return steady_now_us() / 1000; }
  resource_slot& slot() { return options_.slots->slot(options_.resource); }

  cacher_options options_;
  cacher_core core_;
  std::uint64_t round_ = 0;  // of list and watch; replies to an earlier one are ignored
  std::uint64_t list_revision_ = 0;
  std::vector<object_ptr> listed_;
  bool watching_ = false;
  std::uint64_t store_incarnation_ = 0;
  std::vector<cacher::open_watch> early_;  // came before the first sync
  std::vector<waiter> waiters_;
  std::unordered_map<caf::actor_id, std::uint64_t> numbers_;
  std::unordered_map<std::uint64_t, api::client_actor> recipients_;
  std::uint64_t next_recipient_ = 1;
  std::uint64_t timer_at_ms_ = 0;  // 0: none running
};

}  // namespace troupe::api
