// Certificates: the cluster's authority and what it signs. All keys are P-256; files follow kubeadm's names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/status.hpp"

namespace troupe::pki {

/// A certificate and its private key, both PEM.
struct key_pair {
  std::string certificate;
  std::string private_key;
};

/// What a certificate says. Names that parse as IP addresses become IP subject alternative names, the others DNS names.
struct subject {
  std::string common_name;                 // the user's name for a client certificate
  std::vector<std::string> organizations;  // the user's groups
  std::vector<std::string> names;          // subject alternative names
  bool server = false;                     // extended key usage serverAuth
  bool client = false;                     // extended key usage clientAuth
  std::int64_t not_before = 0;             // seconds since the epoch
  std::int64_t valid_seconds = 365 * 24 * 3600;
};

/// A new self-signed authority, valid ten years from `now` (seconds since the epoch).
result<key_pair> make_authority(const std::string& common_name, std::int64_t now);
/// A new key with a certificate signed by the authority.
result<key_pair> issue(const key_pair& authority, const subject& who);
/// A key pair for signing tokens: private key and public key PEM (the latter in `certificate`).
result<key_pair> make_signing_key();
/// When the certificate ends, in seconds since the epoch; 0 when it cannot be read.
std::int64_t not_after(const std::string& certificate);
/// When it begins, likewise.
std::int64_t not_before(const std::string& certificate);
/// Whether the certificate carries all these subject alternative names.
bool names_covered(const std::string& certificate, const std::vector<std::string>& names);

/// The certificates of a local cluster, below DIR: ca, apiserver, admin (kubernetes-admin, system:masters), sa.
struct cluster_certificates {
  key_pair authority;
  key_pair serving;
  key_pair admin;
  key_pair service_account;
};

constexpr std::int64_t one_year = std::int64_t{365} * 24 * 3600;

/// What the certificates are to be that the authority issues to its own cluster.
struct issuing {
  std::vector<std::string> serving_names;  // subject alternative names
  std::int64_t valid_seconds = one_year;
};
/// How long before its end such a certificate is renewed, in seconds: a fifth of its life, 30 days at most.
std::int64_t renewal_window(std::int64_t valid_seconds);

/// Reads them, makes what is missing and renews what ends within its renewal_window or lacks one of the names. Private
/// keys are mode 0600.
result<cluster_certificates> load_or_make(const std::string& dir, const issuing& how, std::int64_t now);
/// The same for what the authority has issued, in a process that uses `all` already: it takes over what was put there
/// since.
status renew_issued(const std::string& dir, const issuing& how, std::int64_t now, cluster_certificates& all);

/// A kubeconfig with embedded certificates for `server` ("https://127.0.0.1:6443").
std::string make_kubeconfig(const std::string& server, const std::string& authority, const key_pair& client,
                            const std::string& cluster, const std::string& user);

/// That kubeconfig's text with the client's certificate and key replaced and all else as it is; empty when it does not
/// have the former ones.
std::string replace_client(std::string kubeconfig, const key_pair& before, const key_pair& now);

/// Writes a file of the given mode by rename, so that a reader never sees half of it.
status write_file(const std::string& path, const std::string& content, unsigned mode);
/// The file's content; not_found when there is none.
result<std::string> read_file(const std::string& path);

}  // namespace troupe::pki
