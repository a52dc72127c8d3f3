// Compaction, done by one of all the api_servers that share the store: the algorithm, interval and key are those of
// k8s.io/apiserver/pkg/storage/etcd3/compact.go, so that a kube-apiserver beside would agree.
//
// Every interval each of them tries to change the key `compact_rev_key` on the condition that it is as it saw it last.
// Who succeeds compacts to the revision of one interval ago.
#include <string>
#include <utility>

#include "actors/store/etcd/core_detail.hpp"

namespace troupe::store::etcd {
namespace {

constexpr const char* shared_key = "compact_rev_key";

}  // namespace

void compact_when_due(state& s, effects& out) {
  if (s.config.compact_interval_ms == 0 || !s.started) return;
  auto& c = s.compaction;
  if (c.due_ms == 0) c.due_ms = s.now_ms + s.config.compact_interval_ms;
  if (s.now_ms < c.due_ms) return;
  c.due_ms = s.now_ms + s.config.compact_interval_ms;
  txn what;
  what.compares.push_back({shared_key, c.mod_revision});
  what.ops.push_back({op_kind::put, shared_key, shared_bytes(std::to_string(c.revision)), 0});
  pending_call asked;
  asked.why = purpose::compaction;
  asked.what = std::move(what);
  begin_call(s, std::move(asked), out);
}

void on_compaction_answer(state& s, const txn_reply& reply, effects& out) {
  auto& c = s.compaction;
  const auto target = std::exchange(c.revision, reply.revision);
  if (!reply.succeeded) {
    c.mod_revision = reply.found.empty() ? 0 : reply.found.front().mod_revision;
    return;
  }
  c.mod_revision = reply.revision;
  if (target == 0) return;
  compact what;
  what.revision = target;
  pending_call asked;
  asked.why = purpose::compaction;
  asked.what = what;
  begin_call(s, std::move(asked), out);
}

}  // namespace troupe::store::etcd
