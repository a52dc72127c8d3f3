// A node's certificate: its files, the request for it, when it is to be renewed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "messages/document.hpp"
#include "messages/status.hpp"
#include "runtime/pki.hpp"

namespace troupe::pki {

/// Paths.
struct node_files {
  std::string certificate, key, authority;
};

/// A CertificateSigningRequest (certificates.k8s.io/v1) for the node's client certificate; `pem`: PKCS #10.
std::string node_request_json(const std::string& node, const std::string& pem);
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
