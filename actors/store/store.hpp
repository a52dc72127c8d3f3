// The store as an actor: what it is made of and how it starts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <caf/actor_system.hpp>

#include "actors/store/backend.hpp"
#include "actors/store/core.hpp"
#include "actors/store/etcd/etcd.hpp"
#include "messages/status.hpp"
#include "messages/store.hpp"

namespace troupe::store {

enum class backend_kind : std::uint8_t { embedded, memory, etcd };

/// How a store is started; configuration section `store`.
struct options {
  backend_kind backend = backend_kind::embedded;
  std::string data_dir;                    // embedded: files go to data_dir/store
  core::settings policy;                   // of embedded and memory
  etcd::options etcd;                      // of etcd
  std::uint64_t segment_bytes = 32 << 20;  // embedded
  /// Used instead of one of the kind above. A memory backend kept here survives restarts of the actor.
  std::shared_ptr<store::backend> instance;
};

/// Options of a store in memory that survives restarts of its actor as long as the options (or a copy) live.
options in_memory();

/// Opens the data and starts the actor. Error: the data directory is in use, corrupt or not accessible.
result<store_actor> try_spawn(caf::actor_system& system, const options& how);
/// The same for a supervisor's start function: an error is thrown as std::runtime_error.
store_actor spawn(caf::actor_system& system, const options& how);

}  // namespace troupe::store
