// The scheduling queue's moves.
#include "actors/scheduler/queue.hpp"

#include <algorithm>

namespace troupe::scheduler {

pending_pod* scheduling_queue::find(const std::string& uid) {
  auto found = pods_.find(uid);
  return found == pods_.end() ? nullptr : found->second.get();
}

pending_pod& scheduling_queue::add(pod_info pod, compiled_pod compiled) {
  auto uid = pod.uid;
  auto& slot = pods_[uid];
  slot = std::make_unique<pending_pod>();
  slot->pod = std::move(pod);
  slot->compiled = std::move(compiled);
  slot->where = place::gated;
  if (slot->pod.gates.empty()) to_active(*slot);
  return *slot;
}

void scheduling_queue::remove(const std::string& uid) {
  auto found = pods_.find(uid);
  if (found == pods_.end()) return;
  leave(*found->second);
  pods_.erase(found);
}

void scheduling_queue::leave(pending_pod& p) {
  switch (p.where) {
    case place::active:
      active_.erase(rank_of(p));
      break;
    case place::backoff:
      (p.after_error ? error_backoff_ : backoff_).erase({p.backoff_until, p.sequence});
      break;
    case place::unschedulable:
      unschedulable_.erase({p.failed_at, p.sequence});
      break;
    case place::binding:
      --binding_;
      break;
    case place::gated:
      break;
  }
  p.where = place::gated;
}

void scheduling_queue::to_active(pending_pod& p) {
  leave(p);
  p.where = place::active;
  p.after_error = false;
  p.sequence = next_sequence_++;
  active_.emplace(rank_of(p), &p);
}

void scheduling_queue::to_binding(pending_pod& p, std::string node) {
  leave(p);
  p.where = place::binding;
  p.node = std::move(node);
  ++binding_;
}

std::int64_t scheduling_queue::backoff_of(std::int32_t failures) const {
  auto wait = options_.initial_backoff;
  for (std::int32_t i = 1; i < failures && wait < options_.max_backoff; ++i) wait *= 2;
  return std::min(wait, options_.max_backoff);
}

void scheduling_queue::to_unschedulable(pending_pod& p, std::int64_t now) {
  leave(p);
  if (unschedulable_.empty()) next_flush_ = now + options_.flush_interval;
  p.where = place::unschedulable;
  p.failed_at = now;
  ++p.rejections;
  p.errors = 0;
  p.backoff_until = now + backoff_of(p.rejections);
  unschedulable_.emplace(wait_key{p.failed_at, p.sequence}, &p);
}

void scheduling_queue::to_error_backoff(pending_pod& p, std::int64_t now) {
  leave(p);
  p.where = place::backoff;
  p.after_error = true;
  p.node.clear();
  p.failed_at = now;
  ++p.errors;
  p.backoff_until = now + backoff_of(p.errors);
  error_backoff_.emplace(wait_key{p.backoff_until, p.sequence}, &p);
}

void scheduling_queue::wake(pending_pod& p, std::int64_t now) {
  if (p.where != place::unschedulable && p.where != place::gated) return;
  if (p.backoff_until <= now) return to_active(p);
  leave(p);
  p.where = place::backoff;
  p.after_error = false;
  backoff_.emplace(wait_key{p.backoff_until, p.sequence}, &p);
}

pending_pod* scheduling_queue::next() {
  if (!active_.empty()) return active_.begin()->second;
  return backoff_.empty() ? nullptr : backoff_.begin()->second;
}

void scheduling_queue::advance(std::int64_t now) {
  for (auto* waiting : {&backoff_, &error_backoff_})
    while (!waiting->empty() && waiting->begin()->first.first <= now) to_active(*waiting->begin()->second);
  if (unschedulable_.empty() || now < next_flush_) return;
  next_flush_ = now + options_.flush_interval;
  while (!unschedulable_.empty() && unschedulable_.begin()->first.first + options_.max_unschedulable <= now)
    wake(*unschedulable_.begin()->second, now);
}

std::int64_t scheduling_queue::next_due() const {
  std::int64_t due = 0;
  auto earlier = [&](std::int64_t at) { due = due == 0 ? at : std::min(due, at); };
  if (!backoff_.empty()) earlier(backoff_.begin()->first.first);
  if (!error_backoff_.empty()) earlier(error_backoff_.begin()->first.first);
  if (!unschedulable_.empty())
    earlier(std::max(next_flush_, unschedulable_.begin()->first.first + options_.max_unschedulable));
  return due;
}

}  // namespace troupe::scheduler
