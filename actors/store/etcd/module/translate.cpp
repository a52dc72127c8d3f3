// See translate.hpp.
#include "actors/store/etcd/module/translate.hpp"

#include <utility>

namespace troupe::store::etcd {
namespace {

key_value read(mvccpb::KeyValue& from) {
  key_value out;
  out.key = std::move(*from.mutable_key());
  out.create_revision = static_cast<std::uint64_t>(from.create_revision());
  out.mod_revision = static_cast<std::uint64_t>(from.mod_revision());
  out.version = static_cast<std::uint64_t>(from.version());
  out.lease = from.lease();
  out.value = shared_bytes(std::move(*from.mutable_value()));
  return out;
}

void write(const op& from, pb::RequestOp& to) {
  if (from.kind == op_kind::erase) {
    to.mutable_request_delete_range()->set_key(from.key);
    return;
  }
  auto& put = *to.mutable_request_put();
  put.set_key(from.key);
  put.set_value(std::string(from.value.view()));
  put.set_lease(from.lease);
}

/// What stood there before; compaction may have taken its value.
key_value previous_of(mvccpb::Event& from) {
  if (from.has_prev_kv()) return read(*from.mutable_prev_kv());
  key_value out;
  const bool created = from.type() == mvccpb::Event::PUT && from.kv().version() == 1;
  if (!created) out.key = from.kv().key();
  return out;
}

}  // namespace

void write(const txn& from, pb::TxnRequest& to) {
  for (const auto& one : from.compares) {
    auto& condition = *to.add_compare();
    condition.set_target(pb::Compare::MOD);
    condition.set_result(pb::Compare::EQUAL);
    condition.set_key(one.key);
    condition.set_mod_revision(static_cast<std::int64_t>(one.mod_revision));
    to.add_failure()->mutable_request_range()->set_key(one.key);
  }
  for (const auto& one : from.ops) write(one, *to.add_success());
}

void write(const range& from, pb::RangeRequest& to) {
  to.set_key(from.key);
  to.set_range_end(from.range_end);
  to.set_revision(static_cast<std::int64_t>(from.revision));
  to.set_limit(static_cast<std::int64_t>(from.limit));
  to.set_keys_only(from.keys_only);
  to.set_count_only(from.count_only);
}

txn_reply read(pb::TxnResponse& from) {
  txn_reply out;
  out.succeeded = from.succeeded();
  out.revision = static_cast<std::uint64_t>(from.header().revision());
  if (out.succeeded) return out;
  for (auto& one : *from.mutable_responses())
    for (auto& kv : *one.mutable_response_range()->mutable_kvs()) out.found.push_back(read(kv));
  return out;
}

range_reply read(pb::RangeResponse& from) {
  range_reply out;
  out.revision = static_cast<std::uint64_t>(from.header().revision());
  out.count = static_cast<std::uint64_t>(from.count());
  out.more = from.more();
  out.kvs.reserve(static_cast<std::size_t>(from.kvs_size()));
  for (auto& kv : *from.mutable_kvs()) out.kvs.push_back(read(kv));
  return out;
}

std::vector<store::event> read(pb::WatchResponse& from) {
  std::vector<store::event> out;
  out.reserve(static_cast<std::size_t>(from.events_size()));
  for (auto& one : *from.mutable_events()) {
    store::event e;
    e.kind = one.type() == mvccpb::Event::DELETE ? op_kind::erase : op_kind::put;
    e.previous = previous_of(one);
    e.current = read(*one.mutable_kv());
    out.push_back(std::move(e));
  }
  return out;
}

}  // namespace troupe::store::etcd
