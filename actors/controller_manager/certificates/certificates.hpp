// Approves and signs CertificateSigningRequests with the cluster's authority. The key never leaves this actor: it is no
// controller::core, whose settings would be recorded in traces.
#pragma once

#include "messages/api_server.hpp"
#include "runtime/pki.hpp"
#include "runtime/stable_ref.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::certificates {

/// The service account in kube-system as which it writes.
inline constexpr const char* account = "certificate-controller";

/// A child named "certificates".
runtime::child_spec signer_child(const runtime::stable_ref<api::api_server_actor>& server, pki::key_pair authority);

}  // namespace troupe::certificates
