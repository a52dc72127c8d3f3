// A control plane renews while it runs what its authority has issued to it: the serving certificate, and the
// administrator's in its kubeconfig.
#pragma once

#include <functional>
#include <string>

#include "runtime/pki.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::runtime {

struct renewal_options {
  std::string directory;  // of the certificates
  pki::issuing issued;
  pki::cluster_certificates used;  // by this process, when it starts
  std::string kubeconfig;          // path; empty: none was written
  /// Serves new connections with these from now on.
  std::function<status(const pki::cluster_certificates&)> serve;
};

/// The actor as a child named "certificates". It looks at the files a few times in the time that is left for a renewal,
/// once a minute at least, and takes over what somebody else has put there, too.
child_spec certificate_renewal_child(renewal_options how);

}  // namespace troupe::runtime
