// Leases: grant, keep alive, revoke and expiry.
#include <algorithm>
#include <utility>

#include "actors/store/core_detail.hpp"

namespace troupe::store::core {
namespace {

constexpr std::int64_t max_ttl_seconds = 9'000'000'000;  // etcd's limit

void refuse(const lease_requested& e, status why, effects& out) {
  ack reply;
  reply.id = e.request.id;
  reply.error = std::move(why);
  out.push_back(send_ack{e.client, std::move(reply)});
}

/// The next lease id of the store's choice: splitmix64 over the seed, positive and unused.
std::int64_t choose_id(state& s) {
  for (;;) {
    std::uint64_t z = (s.seed += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    const auto id = static_cast<std::int64_t>((z ^ (z >> 31)) >> 1);
    if (id != 0 && s.leases.find(id) == nullptr) return id;
  }
}

void submit_grant(state& s, const lease_requested& e, std::int64_t id, std::int64_t ttl, effects& out) {
  pending_append p;
  p.kind = pending_kind::lease_grant;
  p.client = e.client;
  p.id = e.request.id;
  p.lease = id;
  p.ttl = ttl;
  record r;
  r.kind = record_kind::lease_granted;
  r.lease = id;
  r.ttl = ttl;
  submit(s, std::move(p), {std::move(r)}, out);
}

void grant(state& s, const lease_requested& e, effects& out) {
  if (e.request.ttl_seconds > max_ttl_seconds) return refuse(e, bad_request(std::string(lease_ttl_text)), out);
  const auto id = e.request.lease_id == 0 ? choose_id(s) : e.request.lease_id;
  if (s.leases.find(id) != nullptr) {
    return refuse(e, make_status(reason::already_exists, std::string(lease_exists_text)), out);
  }
  s.leases.reserve(id);
  submit_grant(s, e, id, std::max(e.request.ttl_seconds, s.config.min_lease_ttl_seconds), out);
}

void tell_time(const state& s, const lease_requested& e, const lease_state& l, effects& out) {
  ack reply;
  reply.id = e.request.id;
  reply.revision = s.durable_revision;
  reply.lease_id = e.request.lease_id;
  reply.ttl_seconds = l.ttl_seconds;
  out.push_back(send_ack{e.client, std::move(reply)});
}

/// Renewal is not made durable: after a restart every lease has its whole time again. A new time is.
void keep_alive(state& s, const lease_requested& e, lease_state& l, effects& out) {
  if (e.request.ttl_seconds > max_ttl_seconds) return refuse(e, bad_request(std::string(lease_ttl_text)), out);
  if (e.request.ttl_seconds > 0 && e.request.ttl_seconds != l.ttl_seconds) {
    return submit_grant(s, e, e.request.lease_id, std::max(e.request.ttl_seconds, s.config.min_lease_ttl_seconds), out);
  }
  leases::renew(l, s.now_ms);
  tell_time(s, e, l, out);
}

/// Ends a lease and erases its keys in one transaction.
void end_lease(state& s, client_id client, std::uint64_t id, std::int64_t lease_id, effects& out) {
  auto* l = s.leases.usable(lease_id);
  l->phase = lease_phase::ending;
  pending_append p;
  p.kind = pending_kind::lease_end;
  p.client = client;
  p.id = id;
  p.lease = lease_id;
  p.revision = s.assigned_revision + 1;
  std::vector<record> records;
  const auto keys = l->keys;  // erasing detaches
  for (const auto& key : keys) {
    auto at = s.index.find(key);
    const version* now = at == s.index.end() ? nullptr : at->second.current();
    if (now != nullptr && now->lease == lease_id) plan_erase(s, p, records, at);
  }
  record r;
  r.kind = record_kind::lease_ended;
  r.lease = lease_id;
  records.push_back(std::move(r));
  submit(s, std::move(p), std::move(records), out);
}

}  // namespace

void on_lease(state& s, lease_requested& e, effects& out) {
  s.now_ms = std::max(s.now_ms, e.now_ms);
  if (s.failed) return refuse(e, *s.failed, out);
  if (e.request.action == lease_action::grant) return grant(s, e, out);
  auto* l = s.leases.usable(e.request.lease_id);
  if (l == nullptr) return refuse(e, make_status(reason::not_found, std::string(lease_not_found_text)), out);
  if (e.request.action == lease_action::time_to_live) return tell_time(s, e, *l, out);
  if (e.request.action == lease_action::keep_alive) return keep_alive(s, e, *l, out);
  end_lease(s, e.client, e.request.id, e.request.lease_id, out);
}

void end_expired_leases(state& s, effects& out) {
  for (const auto id : s.leases.expired(s.now_ms)) end_lease(s, 0, 0, id, out);
}

}  // namespace troupe::store::core
