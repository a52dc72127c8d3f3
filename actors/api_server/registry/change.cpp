// The loop around compare-and-set.
#include "actors/api_server/registry/change.hpp"

#include <algorithm>

#include "actors/api_server/registry/keys.hpp"

namespace troupe::api {

namespace {

constexpr int max_rounds = 30;

store::txn make_txn(const std::string& key, std::uint64_t expected, const change_plan& plan,
                    const shared_bytes& value) {
  store::txn order;
  order.compares.push_back({key, expected});
  if (plan.what == change_plan::kind::erase)
    order.ops.push_back({store::op_kind::erase, key, {}, 0});
  else if (plan.what == change_plan::kind::write)
    order.ops.push_back({store::op_kind::put, key, value, plan.lease});
  for (auto& side : plan.writes) {
    if (!side.unconditional) order.compares.push_back({side.key, side.expected_revision});
    if (side.erase)
      order.ops.push_back({store::op_kind::erase, side.key, {}, 0});
    else
      order.ops.push_back({store::op_kind::put, side.key, shared_bytes(side.value), 0});
  }
  return order;
}

const store::key_value* find_key(const std::vector<store::key_value>& found, const std::string& key) {
  auto at = std::find_if(found.begin(), found.end(), [&](const auto& kv) { return kv.key == key; });
  return at == found.end() ? nullptr : &*at;
}

}  // namespace

/// What a finished transaction means. Not anonymous: coroutines hold it.
struct txn_verdict {
  bool done = false;
  changed_object result;
  object_ptr current;  // to decide on next; null: gone
  std::vector<std::string> taken;
};

namespace {

txn_verdict judge(const object_place& where, const std::string& key, const object_ptr& current, const change_plan& plan,
                  const shared_bytes& value, const store::txn_reply& reply, bool repeated) {
  txn_verdict out;
  auto* now = find_key(reply.found, key);
  // An order that was sent twice may find its own work. Else the same bytes are another writer's: a conflict.
  bool ours_already =
      repeated && !reply.succeeded && plan.what == change_plan::kind::write && now && now->value == value;
  bool erased_already = !reply.succeeded && plan.what == change_plan::kind::erase && !now && current;
  out.result.before = current;
  if (reply.succeeded || ours_already) {
    auto revision = reply.succeeded ? reply.revision : now->mod_revision;
    out.done = true;
    out.result.revision = revision;
    out.result.written = true;
    if (plan.what == change_plan::kind::write) {
      auto made = make_object(where.resource, value.view(), revision, current ? current->created : revision);
      if (made) out.result.now = std::move(*made);
    }
    return out;
  }
  for (auto& side : plan.writes) {
    if (side.unconditional) continue;
    auto* there = find_key(reply.found, side.key);
    if ((there ? there->mod_revision : 0) != side.expected_revision) out.taken.push_back(side.key);
  }
  if (erased_already && out.taken.empty()) out.current = nullptr;
  if (now) {
    auto made = make_object(where.resource, now->value.view(), now->mod_revision, now->create_revision);
    if (made) out.current = std::move(*made);
  }
  return out;
}

status modified(const change_rules& rules, std::string_view name) {
  return conflict(rules.group, rules.plural, name,
                  "the object has been modified; please apply your changes to the latest version and try again");
}

}  // namespace

snapshot_ptr request_view::objects(std::uint16_t resource) const {
  auto snapshot = slots_.objects(resource);
  auto storage = schema::resources()[resource].storage;
  auto known = std::find_if(seen_.begin(), seen_.end(), [&](const auto& s) { return s.first == storage; });
  if (known == seen_.end()) seen_.emplace_back(storage, snapshot->revision());
  return snapshot;
}

std::vector<std::uint16_t> request_view::behind() const {
  std::vector<std::uint16_t> out;
  for (auto& [resource, revision] : seen_)
    if (revision < std::max(slots_.now(resource).needed, slots_.objects(resource)->revision())) out.push_back(resource);
  return out;
}

std::vector<std::uint16_t> request_view::resources() const {
  std::vector<std::uint16_t> out;
  out.reserve(seen_.size());
  for (const auto& [resource, revision] : seen_) out.push_back(resource);
  return out;
}

std::string object_place::key() const { return storage_key(resource, namespace_name, name); }

status store_failure(const status& error) {
  if (error.why != reason::server_timeout) return error;
  auto out = make_status(reason::server_timeout,
                         "the server was unable to complete the request in the time allotted, please try again");
  out.retry_after_seconds = 1;
  return out;
}

task<result<bool>> refresh(request_host& host, const request_view& view) {
  if (host.slots().shared_store) {
    auto asking = host.control(store::sync{});
    store::ack settled = co_await asking;
    if (!settled.error.ok()) co_return store_failure(settled.error);
    auto seen = view.resources();
    for (auto resource : seen) {
      auto knowing = host.settled(resource, settled.revision);
      status outcome = co_await knowing;
      if (!outcome.ok()) co_return outcome;
    }
  }
  auto behind = view.behind();
  for (auto resource : behind) {
    auto waiting = host.at_least(resource, host.slots().now(resource).needed);
    status outcome = co_await waiting;
    if (!outcome.ok()) co_return outcome;
  }
  co_return !behind.empty();
}

task<inserted_object> insert_object(request_host& host, const object_place& where, const change_plan& plan) {
  const std::string key = where.key();
  shared_bytes value(plan.stored);
  auto call = host.transact(make_txn(key, 0, plan, value));
  store::txn_reply reply = co_await call;
  inserted_object out;
  if (!reply.error.ok()) {
    out.error = store_failure(reply.error);
    co_return std::move(out);
  }
  auto outcome = judge(where, key, nullptr, plan, value, reply, call.repeated);
  out.now = outcome.result.now;
  out.taken = std::move(outcome.taken);
  out.exists = !outcome.done && outcome.current;
  if (outcome.done) host.slots().slot(where.resource).note_write(outcome.result.revision);
  co_return std::move(out);
}

task<result<changed_object>> change_object(request_host& host, const object_place& where, const change_rules& rules,
                                           const change_decision& decide) {
  const std::string key = where.key();
  object_ptr current;
  bool current_known = false;  // from the store's own answer: as fresh as can be
  bool refreshed = false;      // the snapshots have what was acknowledged before this request
  std::vector<std::string> taken;
  for (int round = 0; round < max_rounds; ++round) {
    request_view view(host.slots());
    if (!current_known) {
      auto snapshot = view.objects(where.resource);
      auto* found = snapshot->find(where.namespace_name, where.name);
      current = found ? *found : nullptr;
    }
    result<change_plan> plan = current || rules.allow_absent
                                   ? decide(current, view, taken)
                                   : result<change_plan>(not_found(rules.group, rules.plural, where.name));
    if (!plan) {
      auto again = refresh(host, view);
      result<bool> newer = co_await again;
      if (newer && *newer) continue;
      co_return plan.error();
    }
    // That nothing is to be done can be said of the newest state only, as in GuaranteedUpdate of
    // k8s.io/apiserver/pkg/storage/etcd3/store.go.
    if (plan->what == change_plan::kind::none && !current_known && !refreshed) {
      auto again = refresh(host, view);
      result<bool> newer = co_await again;
      if (!newer) co_return newer.error();
      refreshed = true;
      if (*newer) continue;
    }
    if (plan->what == change_plan::kind::none) {
      changed_object same;
      same.before = same.now = current;
      same.revision = current ? current->revision : 0;
      co_return same;
    }
    shared_bytes value(plan->stored);
    auto call = host.transact(make_txn(key, current ? current->revision : 0, *plan, value));
    store::txn_reply reply = co_await call;
    if (!reply.error.ok()) co_return store_failure(reply.error);
    auto outcome = judge(where, key, current, *plan, value, reply, call.repeated);
    if (outcome.done) {
      host.slots().slot(where.resource).note_write(outcome.result.revision);
      co_return std::move(outcome.result);
    }
    taken.insert(taken.end(), outcome.taken.begin(), outcome.taken.end());
    current = std::move(outcome.current);
    current_known = true;
  }
  co_return modified(rules, where.name);
}

}  // namespace troupe::api
