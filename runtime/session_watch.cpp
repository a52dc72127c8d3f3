// Watches of a session.
#include <utility>

#include "runtime/api_session.hpp"

namespace troupe::runtime {

api_session::handle_id api_session::watch(std::string target, watch_handlers handlers) {
  auto request = get(std::move(target));
  request.user = options_.watch_user;
  auto id = call(std::move(request), callback{});
  calls_.at(id).watch = true;
  ++opening_;
  watches_.emplace(id, open_watch{std::move(handlers), 0});
  return id;
}

void api_session::stop_watch(handle_id watch) {
  auto found = watches_.find(watch);
  if (found == watches_.end()) return;
  auto remote = found->second.remote_id;
  watches_.erase(found);
  if (remote == 0) {
    cancel(watch);
    return;
  }
  by_remote_.erase(remote);
  stop_remote(remote);
}

void api_session::stop_remote(std::uint64_t remote_id) { owner_.send_to(server_.handle(), api::watch_stop{remote_id}); }

void api_session::watch_answered(handle_id id, std::uint64_t incarnation, const api::response& answer) {
  --opening_;
  auto early = std::move(early_[answer.watch_id]);
  early_.erase(answer.watch_id);
  if (opening_ == 0) early_.clear();
  auto found = watches_.find(id);
  if (answer.watch_id == 0) {
    auto why = answer.error.ok() ? internal_error("the api_server did not open a watch") : answer.error;
    close_watch(id, why);
    return;
  }
  found->second.remote_id = answer.watch_id;
  found->second.incarnation = incarnation;
  by_remote_[answer.watch_id] = id;
  auto opened = found->second.handlers.opened;
  if (opened) opened(answer);
  for (const auto& batch : early) deliver(batch);
}

void api_session::handle(const api::watch_delivery& delivery) {
  for (const auto& batch : delivery.batches) deliver(batch);
}

void api_session::deliver(const api::watch_batch& batch) {
  auto known = by_remote_.find(batch.watch_id);
  if (known == by_remote_.end()) {
    // The answer that names this watch may come from another actor and be later. What was stopped is dropped.
    if (opening_ > 0) early_[batch.watch_id].push_back(batch);
    return;
  }
  auto id = known->second;
  if (batch.events && !batch.events->empty()) {
    auto events = watches_.at(id).handlers.events;
    if (events) events(*batch.events);
  }
  if ((batch.closed || !batch.error.ok()) && watches_.count(id) > 0) close_watch(id, batch.error);
}

void api_session::close_watch(handle_id id, const status& why) {
  auto found = watches_.find(id);
  if (found == watches_.end()) return;
  by_remote_.erase(found->second.remote_id);
  auto closed = std::move(found->second.handlers.closed);
  watches_.erase(found);
  if (closed) closed(why);
}

}  // namespace troupe::runtime
