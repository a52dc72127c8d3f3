// Forwarding, parking and observing of a stable reference.
#include "runtime/stable_ref.hpp"

#include <caf/actor_config.hpp>
#include <caf/detail/sync_request_bouncer.hpp>
#include <caf/make_actor.hpp>

namespace troupe::runtime {

ref_actor::ref_actor(caf::actor_config& settings, std::string name, std::size_t park_limit)
    : monitorable_actor(settings), name_(std::move(name)), limit_(park_limit) {}

void ref_actor::enqueue(caf::mailbox_element_ptr message, caf::execution_unit* where) {
  caf::strong_actor_ptr target;
  {
    std::lock_guard guard(mutex_);
    if (!closed_) {
      if (target_ && !passing_parked_) {
        target = target_;
      } else if (parked_.size() < limit_) {
        parked_.push_back(std::move(message));
        return;
      }
    }
  }
  if (target) {
    target->enqueue(std::move(message), where);
    return;
  }
  caf::detail::sync_request_bouncer answer{caf::make_error(caf::sec::request_receiver_down, name_ + " is down")};
  answer(*message);
}

void ref_actor::set_target(const caf::strong_actor_ptr& target) {
  std::vector<caf::strong_actor_ptr> observers;
  std::uint64_t incarnation;
  {
    std::lock_guard guard(mutex_);
    if (closed_) return;
    target_ = target;
    incarnation = ++incarnation_;
    passing_parked_ = !parked_.empty();
    observers = observers_locked();
  }
  tell(observers, incarnation, true);
  mind(target);
  // Senders park until everything before them has been passed on: the order of one sender's messages holds.
  for (;;) {
    std::deque<caf::mailbox_element_ptr> waiting;
    {
      std::lock_guard guard(mutex_);
      if (parked_.empty() || target_ != target) {
        if (target_ == target) passing_parked_ = false;
        return;
      }
      waiting.swap(parked_);
    }
    for (auto& message : waiting) target->enqueue(std::move(message), nullptr);
  }
}

void ref_actor::hand_over(const caf::strong_actor_ptr& target) {
  caf::strong_actor_ptr before;  // if this is its last reference, it ends outside the lock
  {
    std::lock_guard guard(mutex_);
    if (closed_) return;
    if (target_ && !passing_parked_) before = std::exchange(target_, target);
  }
  if (!before) return set_target(target);
  mind(target);
}

void ref_actor::mind(const caf::strong_actor_ptr& target) {
  target->get()->attach_functor([me = caf::strong_actor_ptr{ctrl()}, address = target->address()](const caf::error&) {
    static_cast<ref_actor*>(me->get())->drop_target(address);
  });
}

void ref_actor::drop_target(const caf::actor_addr& gone) {
  std::vector<caf::strong_actor_ptr> observers;
  std::uint64_t incarnation;
  {
    std::lock_guard guard(mutex_);
    if (!target_ || target_->address() != gone) return;
    target_ = nullptr;
    passing_parked_ = false;
    incarnation = incarnation_;
    observers = observers_locked();
  }
  tell(observers, incarnation, false);
}

void ref_actor::close() {
  std::deque<caf::mailbox_element_ptr> waiting;
  std::vector<caf::strong_actor_ptr> observers;
  std::uint64_t incarnation;
  {
    std::lock_guard guard(mutex_);
    if (closed_) return;
    closed_ = true;
    if (target_) observers = observers_locked();
    target_ = nullptr;
    incarnation = incarnation_;
    waiting.swap(parked_);
    observers_.clear();
  }
  tell(observers, incarnation, false);
  caf::detail::sync_request_bouncer answer{caf::make_error(caf::sec::request_receiver_down, name_ + " is stopped")};
  for (auto& message : waiting) answer(*message);
  cleanup(caf::exit_reason::user_shutdown, nullptr);
}

void ref_actor::subscribe(const caf::strong_actor_ptr& observer) {
  std::vector<caf::strong_actor_ptr> alive;  // if these are their last references, they end outside the lock
  std::uint64_t incarnation;
  {
    std::lock_guard guard(mutex_);
    if (closed_) return;
    auto address = observer->address();
    // A reference whose target never changes would keep every observer that there ever was.
    alive = observers_locked();
    for (const auto& known : observers_)
      if (known == address) return;
    observers_.push_back(std::move(address));
    if (!target_) return;
    incarnation = incarnation_;
  }
  tell({observer}, incarnation, true);
}

std::vector<caf::strong_actor_ptr> ref_actor::observers_locked() {
  std::vector<caf::strong_actor_ptr> alive;
  std::vector<caf::actor_addr> kept;
  for (auto& address : observers_) {
    if (auto observer = caf::actor_cast<caf::strong_actor_ptr>(address)) {
      alive.push_back(std::move(observer));
      kept.push_back(address);
    }
  }
  observers_ = std::move(kept);
  return alive;
}

void ref_actor::tell(const std::vector<caf::strong_actor_ptr>& observers, std::uint64_t incarnation, bool up) {
  for (const auto& observer : observers)
    observer->enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), {},
                                                supervision::ref_changed{name_, incarnation, up}),
                      nullptr);
}

std::uint64_t ref_actor::incarnation() const {
  std::lock_guard guard(mutex_);
  return incarnation_;
}

std::uint64_t ref_actor::reached_incarnation() const {
  std::lock_guard guard(mutex_);
  return target_ ? incarnation_ : incarnation_ + 1;
}

bool ref_actor::up() const {
  std::lock_guard guard(mutex_);
  return target_ != nullptr;
}

void ref_actor::on_destroy() {
  if (getf(is_cleaned_up_flag)) return;
  cleanup(caf::exit_reason::unreachable, nullptr);
  monitorable_actor::on_destroy();
}

any_ref any_ref::make(caf::actor_system& system, std::string name, std::size_t park_limit) {
  caf::actor_config settings;
  return any_ref(caf::make_actor<ref_actor, caf::strong_actor_ptr>(system.next_actor_id(), system.node(), &system,
                                                                   settings, std::move(name), park_limit));
}

}  // namespace troupe::runtime
