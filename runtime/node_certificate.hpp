// The certificate of a node, or of a component in a process of its own: its files, the request for it, when it is to be
// renewed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages/document.hpp"
#include "messages/status.hpp"
#include "runtime/pki.hpp"

namespace troupe::pki {

/// Paths.
struct node_files {
  std::string certificate, key, authority;
};

/// A client certificate that is asked for.
struct wanted_certificate {
  std::string common_name;
  std::vector<std::string> organizations;
  std::string signer;  // spec.signerName
  std::string prefix;  // of the request's name
};
/// A node's, as kubelets ask for it.
wanted_certificate certificate_of_node(const std::string& node);
/// That of a component, by its user ("system:kube-scheduler").
wanted_certificate certificate_of_component(const std::string& user);

/// A CertificateSigningRequest (certificates.k8s.io/v1); `pem`: PKCS #10.
std::string request_json(const wanted_certificate& what, const std::string& pem);
/// The certificate that a CertificateSigningRequest has got; nothing while nobody has decided. forbidden: it was denied
/// or has failed.
result<std::optional<std::string>> granted_certificate(const troupe::node& request);

/// Whether less than a fifth of the certificate's life is left, or it cannot be read. (Kubernetes' kubelet renews
/// between 70 and 90 %: k8s.io/client-go/util/certificate.)
bool renewal_due(const std::string& certificate, std::int64_t now_seconds);

/// Replaces certificate and key. One that is interrupted is finished or undone by settle_files().
status replace_pair(const node_files& files, const key_pair& pair);
/// After a start: key and certificate belong to each other again.
void settle_files(const node_files& files);

}  // namespace troupe::pki
