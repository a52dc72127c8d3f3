// Certificate signing requests (PKCS #10): how a machine gets a certificate without its key ever leaving it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/status.hpp"
#include "runtime/pki.hpp"

namespace troupe::pki {

/// A request and the key it was made with, both PEM.
struct signing_request {
  std::string request;
  std::string private_key;
};
/// A new P-256 key and a request for common name and organizations of the subject; its other fields do not count.
result<signing_request> make_request(const subject& who);

/// What a request asks for. Its signature has been verified.
struct request_content {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::string> names;  // DNS names and IP addresses
  bool others = false;             // subject alternative names of other kinds
};
/// Reads one PEM block of type CERTIFICATE REQUEST.
result<request_content> read_request(const std::string& pem);

/// A certificate for the request's key and subject; server, client, not_before and valid_seconds are the grant's, its
/// names those that were read from the request by whoever grants.
result<std::string> sign_request(const key_pair& authority, const std::string& pem, const subject& grant);

/// "sha256:HEX" of the certificate's public key (its SubjectPublicKeyInfo), as kubeadm's
/// --discovery-token-ca-cert-hash.
result<std::string> public_key_hash(const std::string& certificate);
/// The one certificate of a PEM text from a server that nobody vouches for, written anew, if its public key has that
/// hash. A text that holds anything beside it is refused: whatever follows the pinned certificate would be trusted as
/// much as it. Stricter than kubeadm's discovery (app/discovery/token, util/pubkeypin), which takes a bundle as soon
/// as one of its certificates is pinned.
result<std::string> pinned_certificate(const std::string& pem, const std::string& hash);
/// Whether the key belongs to the certificate.
bool key_matches(const key_pair& pair);

}  // namespace troupe::pki
