// The control plane's end of one link, and all of the control plane that the certificate behind it reaches. Of a node
// it asks the api_server as system:node:NAME, whatever the node says it is, so that the node authorizer and
// NodeRestriction judge every request; of a component as the component, or as one of its controllers' accounts. It
// takes answers only to what was asked; it ends with its link.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "messages/api_server.hpp"
#include "runtime/link/channel.hpp"
#include "runtime/link/identity.hpp"
#include "runtime/link/limits.hpp"
#include "runtime/link/messages.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::link {

struct session_options {
  identity who;
  std::vector<std::string> accounts;  // see users_of()
  std::uint64_t channel = 0;
  loop_handle loop;
  runtime::stable_ref<api::api_server_actor> server;
  unread_bytes unread;
  outgoing unsent;
  limits bounds;
  std::function<void(const std::string& reason)> refused;  // counts
};

/// Starts a session. The stop of its loop stops it, too.
session_actor spawn_session(caf::actor_system& system, session_options how);

}  // namespace troupe::link
