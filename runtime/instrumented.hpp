// The one place that overrides CAF's enqueue and consume: counts, times, lets a simulation watch and disturb, and takes
// control messages out before the component's own handlers.
#pragma once

#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include <caf/actor_clock.hpp>
#include <caf/invoke_message_result.hpp>

#include "runtime/actor_context.hpp"

namespace troupe::runtime {

/// `Base` is a typed event-based actor, or one with another mailbox (loop_actor).
template <class Base>
class instrumented : public Base, public actor_context {
 public:
  instrumented(caf::actor_config& settings, const std::string& name) : Base(settings), actor_context(*this, name) {
    this->set_exception_handler([this](caf::scheduled_actor*, std::exception_ptr& thrown) { return failed(thrown); });
    this->set_down_handler([](caf::scheduled_actor*, caf::down_msg&) {});
    // An error that comes as a message answers something this actor sent; it is no reason to end.
    this->set_error_handler([this](caf::scheduled_actor*, caf::error& told) {
      log(log_level::warn, "component.error_received", this->system().render(told));
    });
    this->set_default_handler([](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
      return caf::sec::unexpected_message;
    });
  }

  const char* name() const override { return path().c_str(); }

  using Base::consume;
  using Base::enqueue;

  void enqueue(caf::mailbox_element_ptr message, caf::execution_unit* where) override {
    if (config_.hooks && disturbed(message)) return;
    counters_->enqueued.fetch_add(1, std::memory_order_relaxed);
    Base::enqueue(std::move(message), where);
  }

  caf::invoke_message_result consume(caf::mailbox_element& message) override {
    if (config_.hooks) config_.hooks->received(*this, message);
    stopwatch measured(*counters_);
    if (take_control(message)) return caf::invoke_message_result::consumed;
    return Base::consume(message);
  }

  bool cleanup(caf::error&& why, caf::execution_unit* where) override {
    leave();
    return Base::cleanup(std::move(why), where);
  }

 private:
  /// Counts one handled message, also when the handler throws. Reading the clock twice costs as much as a small
  /// handler, so that one message in eight stands for all.
  struct stopwatch {
    static constexpr std::uint64_t sampled = 8;
    explicit stopwatch(actor_counters& to) : counters(to), measures(to.processed.load(relaxed) % sampled == 0) {
      if (measures) begun = std::chrono::steady_clock::now();
    }
    ~stopwatch() {
      add(counters.processed, 1);
      if (!measures) return;
      auto spent = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begun);
      add(counters.busy_ns, static_cast<std::uint64_t>(spent.count()) * sampled);
    }
    // Only the actor itself writes these, so no read-modify-write is needed.
    static void add(std::atomic<std::uint64_t>& to, std::uint64_t more) { to.store(to.load(relaxed) + more, relaxed); }
    static constexpr auto relaxed = std::memory_order_relaxed;
    actor_counters& counters;
    bool measures;
    std::chrono::steady_clock::time_point begun;
  };

  caf::error failed(std::exception_ptr& thrown) const {
    std::string why;
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& known) {
      why = known.what();
    } catch (...) {
      why = "unknown exception";
    }
    log(log_level::warn, "component.crashed", why);
    return caf::make_error(caf::sec::runtime_error, why);
  }

  /// Asks the hooks; true when the message is gone or comes later.
  bool disturbed(caf::mailbox_element_ptr& message) {
    if (!message->sender || message->sender == this->ctrl()) return false;
    auto& clock = this->system().clock();
    auto now = clock.now();
    auto fate = config_.hooks->sent(*this, *message, now.time_since_epoch());
    if (fate.drop) return true;
    if (fate.delay.count() == 0) return false;
    clock.schedule_message(now + fate.delay, caf::strong_actor_ptr{this->ctrl()}, std::move(message));
    return true;
  }
};

}  // namespace troupe::runtime
