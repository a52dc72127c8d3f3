// What becomes of a CertificateSigningRequest: approved by itself, signed, or left to an administrator, and cleaned up
// when it has served its time. Rules and words: Kubernetes' pkg/controller/certificates (approver/sarapprove.go,
// signer/signer.go, cleaner/cleaner.go) and pkg/apis/certificates/helpers.go.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/document.hpp"

namespace troupe::certificates {

/// What the PKCS #10 request inside asks for.
struct asked_subject {
  bool readable = false;
  std::string common_name;
  std::vector<std::string> organizations;
  bool alternative_names = false;  // there are some
};

/// A request as the rules see it.
struct request_facts {
  asked_subject asked;
  std::string signer, username;
  std::vector<std::string> usages;
  std::int64_t expiration_seconds = 0;  // 0: not said
  bool approved = false, denied = false, failed = false, has_certificate = false;
};
/// Of an object; `asked` is left to the caller.
request_facts facts_of(const node& object);

enum class verdict : std::uint8_t {
  nothing,
  approve_own,    // of a node for itself, if it may create certificatesigningrequests/selfnodeclient
  approve_other,  // of anybody for a node, if it may create certificatesigningrequests/nodeclient
  approve_same,   // of a user for itself, if it may create certificatesigningrequests/selfclient
  sign,
};
/// approve_same is ours: components that are alone in their processes renew their certificates by it. Upstream leaves
/// theirs to kubeadm's commands.
verdict judge(const request_facts& facts);

/// Whether only a name that no Node has yet may be approved. A bootstrap token is for new machines: whoever holds one
/// could else become any node of the cluster. Upstream's approver does not look; there `kubeadm join` does, on the
/// joining machine ("a Node with name ... already exists in the cluster"; app/cmd/phases/join/kubelet.go).
bool needs_new_name(verdict which, const request_facts& facts);
/// Of "system:node:NAME"; empty for anything else.
std::string node_asked_for(const request_facts& facts);

/// Subresource of certificatesigningrequests that the requester must be allowed to create.
std::string_view permission_of(verdict which);
/// The Approved condition's message.
std::string_view message_of(verdict which);

/// Whether the request is to be deleted: nobody has judged it for a day, it was denied, failed or was given its
/// certificate an hour ago, or that has ended. `certificate_ends`: in seconds since 1970; 0: not known.
bool has_served(const node& object, std::int64_t certificate_ends, std::uint64_t now_ms);

/// Seconds: what was asked for, within ten minutes (the API's least) and a year (the signer's default).
std::int64_t lifetime_of(const request_facts& facts);

}  // namespace troupe::certificates
