// Leases: keys that live as long as somebody renews them.
#include "actors/store/leases.hpp"

namespace troupe::store::core {

lease_state* leases::find(std::int64_t id) {
  auto found = leases_.find(id);
  return found == leases_.end() ? nullptr : &found->second;
}

lease_state* leases::usable(std::int64_t id) {
  auto* l = find(id);
  return l == nullptr || l->phase != lease_phase::live ? nullptr : l;
}

lease_state* leases::attachable(std::int64_t id) {
  auto* l = find(id);
  return l == nullptr || l->phase == lease_phase::ending ? nullptr : l;
}

void leases::start(std::int64_t id, std::int64_t ttl_seconds, std::uint64_t now_ms) {
  auto& l = leases_[id];
  l.ttl_seconds = ttl_seconds;
  l.phase = lease_phase::live;
  renew(l, now_ms);
}

void leases::renew(lease_state& l, std::uint64_t now_ms) {
  l.expires_ms = now_ms + static_cast<std::uint64_t>(l.ttl_seconds) * 1000;
}

void leases::attach(std::int64_t id, const std::string& key) {
  if (auto* l = id == 0 ? nullptr : find(id)) l->keys.insert(key);
}

void leases::detach(std::int64_t id, const std::string& key) {
  if (auto* l = id == 0 ? nullptr : find(id)) l->keys.erase(key);
}

std::vector<std::int64_t> leases::expired(std::uint64_t now_ms) const {
  std::vector<std::int64_t> out;
  for (const auto& [id, l] : leases_) {
    if (l.phase == lease_phase::live && l.expires_ms <= now_ms) out.push_back(id);
  }
  return out;
}

void leases::renew_all(std::uint64_t now_ms) {
  for (auto& [id, l] : leases_) renew(l, now_ms);
}

}  // namespace troupe::store::core
