// Loads libtroupe_etcd.so, which lies beside the binary (client.hpp says why it is not linked).
#pragma once

#include <functional>
#include <memory>

#include "actors/store/etcd/client.hpp"
#include "messages/status.hpp"

namespace troupe::store::etcd {

/// Connections to the members. Fails when the module or a library it needs is missing; whether members answer shows
/// only when they are asked.
result<std::unique_ptr<client>> open_client(const connection_options& how, std::function<void(event)> sink);

}  // namespace troupe::store::etcd
