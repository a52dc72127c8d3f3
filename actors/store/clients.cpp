// See clients.hpp.
#include "actors/store/clients.hpp"

namespace troupe::store {

std::pair<core::client_id, bool> client_book::number_of(const caf::strong_actor_ptr& from) {
  if (!from) return {0, false};
  auto [known, is_new] = numbers_.try_emplace(from.get(), next_);
  if (is_new) clients_.emplace(next_++, caf::actor_cast<caf::actor_addr>(from));
  return {known->second, is_new};
}

caf::strong_actor_ptr client_book::find(core::client_id client) const {
  auto known = clients_.find(client);
  return known == clients_.end() ? nullptr : caf::actor_cast<caf::strong_actor_ptr>(known->second);
}

core::client_id client_book::forget(const caf::actor_addr& gone) {
  auto known = numbers_.find(gone.get());
  if (known == numbers_.end()) return 0;
  const auto client = known->second;
  numbers_.erase(known);
  clients_.erase(client);
  progress_.erase(progress_.lower_bound({client, 0}), progress_.lower_bound({client + 1, 0}));
  return client;
}

void client_book::begin_watch(core::send_watch_started& started) {
  auto made = std::make_shared<progress>();
  made->range_revision = started.range_revision;
  made->revision = started.reply.revision;
  progress_[{started.client, started.reply.id}] = made;
  started.reply.shared = std::move(made);
}

void client_book::advance(const core::advance_progress& to) {
  for (const auto& c : to.changed) {
    auto found = progress_.find({c.client, c.id});
    if (found != progress_.end()) found->second->range_revision = c.revision;
  }
  for (auto& [name, p] : progress_) p->revision = to.revision;
}

}  // namespace troupe::store
