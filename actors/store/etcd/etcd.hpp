// The backend `etcd` as an actor: an external etcd cluster behind the store's interface.
#pragma once

#include <caf/actor_system.hpp>

#include "actors/store/etcd/client.hpp"
#include "messages/status.hpp"
#include "messages/store.hpp"

namespace troupe::store::etcd {

/// How the store is reached; configuration section `store`. settings.endpoints is filled in.
struct options {
  connection_options connection;
  settings policy;
};

/// Reads the files that the configuration names; empty names are left out. Error: which one cannot be read.
result<connection_options> read_connection(const std::vector<std::string>& endpoints, const std::string& ca,
                                           const std::string& certificate, const std::string& key);

/// Starts the actor; it answers when members do. Error: the module cannot be loaded.
result<store_actor> try_spawn(caf::actor_system& system, const options& how);

}  // namespace troupe::store::etcd
