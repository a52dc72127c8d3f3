// The one CAF type-id block: every message type that actors exchange. Names are on the wire: never rename, only add.
#pragma once

#include <caf/type_id.hpp>

#include "messages/api_server.hpp"
#include "messages/cacher.hpp"
#include "messages/container_runtime.hpp"
#include "messages/kubelet.hpp"
#include "messages/store.hpp"
#include "messages/streams.hpp"
#include "messages/supervisor.hpp"
#include "messages/timer.hpp"

CAF_BEGIN_TYPE_ID_BLOCK(troupe, caf::first_custom_type_id)

CAF_ADD_TYPE_ID(troupe, (troupe::store::txn))
CAF_ADD_TYPE_ID(troupe, (troupe::store::txn_reply))
CAF_ADD_TYPE_ID(troupe, (troupe::store::range))
CAF_ADD_TYPE_ID(troupe, (troupe::store::range_reply))
CAF_ADD_TYPE_ID(troupe, (troupe::store::watch))
CAF_ADD_TYPE_ID(troupe, (troupe::store::watch_started))
CAF_ADD_TYPE_ID(troupe, (troupe::store::watch_events))
CAF_ADD_TYPE_ID(troupe, (troupe::store::watch_cancel))
CAF_ADD_TYPE_ID(troupe, (troupe::store::compact))
CAF_ADD_TYPE_ID(troupe, (troupe::store::lease))
CAF_ADD_TYPE_ID(troupe, (troupe::store::ack))
CAF_ADD_TYPE_ID(troupe, (troupe::api::request))
CAF_ADD_TYPE_ID(troupe, (troupe::api::response))
CAF_ADD_TYPE_ID(troupe, (troupe::api::watch_delivery))
CAF_ADD_TYPE_ID(troupe, (troupe::api::watch_stop))
CAF_ADD_TYPE_ID(troupe, (troupe::supervision::describe))
CAF_ADD_TYPE_ID(troupe, (troupe::supervision::tree))
CAF_ADD_TYPE_ID(troupe, (troupe::supervision::crash))
CAF_ADD_TYPE_ID(troupe, (troupe::supervision::ref_changed))
CAF_ADD_TYPE_ID(troupe, (troupe::timer_due))
CAF_ADD_TYPE_ID(troupe, (troupe::cacher::open_watch))
CAF_ADD_TYPE_ID(troupe, (troupe::cacher::close_watch))
CAF_ADD_TYPE_ID(troupe, (troupe::cacher::wait_for))
CAF_ADD_TYPE_ID(troupe, (troupe::cacher::reached))
CAF_ADD_TYPE_ID(troupe, (troupe::container::request))
CAF_ADD_TYPE_ID(troupe, (troupe::container::reply))
CAF_ADD_TYPE_ID(troupe, (troupe::container::subscribe))
CAF_ADD_TYPE_ID(troupe, (troupe::container::happenings))
CAF_ADD_TYPE_ID(troupe, (troupe::container::read_log))
CAF_ADD_TYPE_ID(troupe, (troupe::container::log_more))
CAF_ADD_TYPE_ID(troupe, (troupe::container::log_chunk))
CAF_ADD_TYPE_ID(troupe, (troupe::kubelet::read_pod_log))
CAF_ADD_TYPE_ID(troupe, (troupe::kubelet::open_pod_stream))
CAF_ADD_TYPE_ID(troupe, (troupe::container::open_stream))
CAF_ADD_TYPE_ID(troupe, (troupe::stream::opened))
CAF_ADD_TYPE_ID(troupe, (troupe::stream::chunk))
CAF_ADD_TYPE_ID(troupe, (troupe::stream::credit))
CAF_ADD_TYPE_ID(troupe, (troupe::stream::connect))
CAF_ADD_TYPE_ID(troupe, (troupe::stream::close))
CAF_ADD_TYPE_ID(troupe, (troupe::stream::closed))
CAF_ADD_TYPE_ID(troupe, (troupe::stream::log_taken))
CAF_ADD_TYPE_ID(troupe, (troupe::store::sync))

CAF_END_TYPE_ID_BLOCK(troupe)
