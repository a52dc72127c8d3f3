// Requests of clients become calls, answers of calls become replies.
#include <algorithm>
#include <utility>

#include "actors/store/etcd/core_detail.hpp"

namespace troupe::store::etcd {
namespace {

pending_call request_of(client_id client, std::uint64_t id, order what) {
  pending_call c;
  c.client = client;
  c.request = id;
  c.what = std::move(what);
  return c;
}

struct replier {
  const pending_call& c;
  effects& out;
  void operator()(txn_reply& r) const {
    r.id = c.request;
    out.push_back(core::send_txn_reply{c.client, std::move(r)});
  }
  void operator()(range_reply& r) const {
    r.id = c.request;
    out.push_back(core::send_range_reply{c.client, std::move(r)});
  }
  void operator()(ack& r) const {
    r.id = c.request;
    out.push_back(core::send_ack{c.client, std::move(r)});
  }
};

}  // namespace

void answer(const pending_call& c, std::variant<ack, txn_reply, range_reply> reply, effects& out) {
  std::visit(replier{c, out}, reply);
}

void refuse(const pending_call& c, const status& why, effects& out) {
  if (std::holds_alternative<txn>(c.what)) {
    txn_reply none;
    none.error = why;
    replier{c, out}(none);
  } else if (std::holds_alternative<range>(c.what)) {
    range_reply none;
    none.error = why;
    replier{c, out}(none);
  } else {
    ack none;
    none.error = why;
    if (const auto* l = std::get_if<lease>(&c.what)) none.lease_id = l->lease_id;
    replier{c, out}(none);
  }
}

void on_txn(state& s, core::txn_requested& e, effects& out) {
  // Behind the grant of the lease that it uses.
  for (const auto& one : e.request.ops) {
    auto grant = one.lease == 0 ? s.granting.end() : s.granting.find(one.lease);
    if (grant == s.granting.end()) continue;
    grant->second.push_back(std::move(e));
    return;
  }
  begin_call(s, request_of(e.client, e.request.id, std::move(e.request)), out);
}

void on_range(state& s, core::range_requested& e, effects& out) {
  begin_call(s, request_of(e.client, e.request.id, std::move(e.request)), out);
}

void on_compact(state& s, core::compact_requested& e, effects& out) {
  begin_call(s, request_of(e.client, e.request.id, e.request), out);
}

void on_lease(state& s, core::lease_requested& e, effects& out) {
  if (e.request.action == lease_action::grant && e.request.lease_id != 0) s.granting[e.request.lease_id];
  begin_call(s, request_of(e.client, e.request.id, e.request), out);
}

void release_granted(state& s, std::int64_t lease_id, effects& out) {
  auto found = s.granting.find(lease_id);
  if (found == s.granting.end()) return;
  auto waiting = std::move(found->second);
  s.granting.erase(found);
  for (auto& one : waiting) on_txn(s, one, out);
}

}  // namespace troupe::store::etcd
