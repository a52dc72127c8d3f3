// Who watches which keys.
#include "actors/store/watchers.hpp"

#include <algorithm>

namespace troupe::store::core {

bool watchers::add(pointer w) {
  if (find(w->client, w->id)) return false;
  auto place = std::upper_bound(by_begin_.begin(), by_begin_.end(), w,
                                [](const pointer& a, const pointer& b) { return a->keys.begin < b->keys.begin; });
  by_begin_.insert(place, std::move(w));
  index();
  return true;
}

void watchers::remove(client_id client, std::uint64_t id) {
  std::erase_if(by_begin_, [&](const pointer& w) { return w->client == client && w->id == id; });
  index();
}

void watchers::remove_client(client_id client) {
  std::erase_if(by_begin_, [&](const pointer& w) { return w->client == client; });
  index();
}

watchers::pointer watchers::find(client_id client, std::uint64_t id) const {
  for (const auto& w : by_begin_) {
    if (w->client == client && w->id == id) return w;
  }
  return nullptr;
}

std::size_t watchers::first_after(std::string_view key) const {
  auto place = std::upper_bound(by_begin_.begin(), by_begin_.end(), key,
                                [](std::string_view k, const pointer& w) { return k < w->keys.begin; });
  return static_cast<std::size_t>(place - by_begin_.begin());
}

void watchers::index() {
  reach_.clear();
  reach far;
  for (const auto& w : by_begin_) {
    if (w->keys.unbounded) far.unbounded = true;
    far.end = std::max(far.end, std::string_view(w->keys.end));
    reach_.push_back(far);
  }
}

}  // namespace troupe::store::core
