// See watch_queue.hpp.
#include "runtime/link/watch_queue.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace troupe::link {
namespace {

std::size_t estimate_of(const api::watch_event& event) { return 64 + (event.object ? event.object->json.size() : 0); }

bool is_end(const api::watch_batch& batch) { return batch.closed || !batch.error.ok(); }

}  // namespace

bool watch_queue::add(api::watch_batch batch) {
  auto& of = watches_[batch.watch_id];
  std::size_t bytes = 0;
  bool listed = false;  // the initial events end in this batch
  if (batch.events)
    for (const auto& event : *batch.events) {
      bytes += estimate_of(event);
      listed = listed || event.initial_events_end;
    }
  entry made{std::move(batch), of.initial ? 0 : bytes};
  if (listed) of.initial = false;
  of.bytes += made.counted;
  ++of.entries;
  waiting_.push_back(std::move(made));
  return of.bytes <= most_bytes_;
}

void watch_queue::drop(std::uint64_t watch_id) {
  if (!waiting_.empty() && waiting_.front().batch.watch_id == watch_id) next_event_ = 0;
  std::erase_if(waiting_, [&](const entry& one) { return one.batch.watch_id == watch_id; });
  watches_.erase(watch_id);
}

void watch_queue::cut(std::uint64_t watch_id) {
  drop(watch_id);
  api::watch_batch end;
  end.watch_id = watch_id;
  end.closed = true;
  add(std::move(end));
}

api::watch_delivery watch_queue::take(std::size_t bytes) {
  api::watch_delivery out;
  std::size_t held = 0;
  while (!waiting_.empty() && held < bytes) {
    auto& front = waiting_.front();
    auto count = front.batch.events ? front.batch.events->size() : 0;
    auto begin = next_event_;
    while (next_event_ < count && (held == 0 || held < bytes))
      held += estimate_of((*front.batch.events)[next_event_++]);
    if (next_event_ < count || begin > 0) {
      using events = std::vector<api::watch_event>;
      auto at = front.batch.events->begin();
      auto part = std::make_shared<const events>(at + static_cast<std::ptrdiff_t>(begin),
                                                 at + static_cast<std::ptrdiff_t>(next_event_));
      if (next_event_ < count) {
        api::watch_batch piece;
        piece.watch_id = front.batch.watch_id;
        piece.events = std::move(part);
        out.batches.push_back(std::move(piece));
        break;
      }
      front.batch.events = std::move(part);
    }
    ++held;  // a batch without events is not for nothing
    taken(front);
    out.batches.push_back(std::move(front.batch));
    waiting_.pop_front();
    next_event_ = 0;
  }
  return out;
}

/// A watch of which nothing waits has been up to date.
void watch_queue::taken(const entry& which) {
  auto found = watches_.find(which.batch.watch_id);
  if (found == watches_.end()) return;
  found->second.bytes -= which.counted;
  if (--found->second.entries == 0) found->second.initial = false;
  if (is_end(which.batch)) watches_.erase(found);
}

}  // namespace troupe::link
