// Between the store's messages and etcd's.
#pragma once

#include <rpc.pb.h>

#include "actors/store/etcd/core.hpp"

namespace troupe::store::etcd {

namespace pb = ::etcdserverpb;

void write(const txn& from, pb::TxnRequest& to);
void write(const range& from, pb::RangeRequest& to);

/// These take the bytes out of the response.
txn_reply read(pb::TxnResponse& from);
range_reply read(pb::RangeResponse& from);
std::vector<store::event> read(pb::WatchResponse& from);

}  // namespace troupe::store::etcd
