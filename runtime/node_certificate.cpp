#include "runtime/node_certificate.hpp"

#include <filesystem>

#include "messages/schema/scalars.hpp"
#include "runtime/certificate_request.hpp"

namespace troupe::pki {
namespace {

std::string text_at(const troupe::node* found) { return found ? std::string(found->string()) : std::string(); }

std::string waiting_name(const node_files& files) { return files.certificate + ".new"; }

status finish_replacing(const node_files& files) {
  std::error_code failed;
  std::filesystem::rename(waiting_name(files), files.certificate, failed);
  return failed ? internal_error("cannot write " + files.certificate + ": " + failed.message()) : status();
}

}  // namespace

wanted_certificate certificate_of_node(const std::string& node) {
  return {"system:node:" + node, {"system:nodes"}, "kubernetes.io/kube-apiserver-client-kubelet", "node-" + node + "-"};
}

wanted_certificate certificate_of_component(const std::string& user) {
  return {user, {}, "kubernetes.io/kube-apiserver-client", user.substr(user.rfind(':') + 1) + "-"};
}

std::string request_json(const wanted_certificate& what, const std::string& pem) {
  document doc;
  auto& root = doc.root();
  doc.make_object(root);
  doc.set(root, "kind", "CertificateSigningRequest");
  doc.set(root, "apiVersion", "certificates.k8s.io/v1");
  auto& metadata = doc.set(root, "metadata");
  doc.make_object(metadata);
  doc.set(metadata, "generateName", std::string_view(what.prefix));
  auto& spec = doc.set(root, "spec");
  doc.make_object(spec);
  doc.set(spec, "request", std::string_view(schema::to_base64(pem)));
  doc.set(spec, "signerName", std::string_view(what.signer));
  auto& usages = doc.set(spec, "usages");
  doc.make_array(usages);
  for (const char* usage : {"digital signature", "client auth"}) doc.assign(doc.append(usages), usage);
  return to_json(root);
}

result<std::optional<std::string>> granted_certificate(const troupe::node& request) {
  if (auto encoded = text_at(request.find("status", "certificate")); !encoded.empty())
    return std::optional<std::string>(schema::from_base64(encoded));
  const troupe::node* conditions = request.find("status", "conditions");
  for (std::size_t at = 0; conditions && conditions->is_array() && at < conditions->size(); ++at) {
    const auto& one = conditions->element(at);
    if (auto type = text_at(one.find("type")); type == "Denied" || type == "Failed")
      return make_status(reason::forbidden,
                         "the request for a certificate was " + type + ": " + text_at(one.find("message")));
  }
  return std::optional<std::string>();
}

bool renewal_due(const std::string& certificate, std::int64_t now_seconds) {
  auto begin = not_before(certificate), end = not_after(certificate);
  return end - now_seconds < (end - begin) / 5 || end == 0;
}

status replace_pair(const node_files& files, const key_pair& pair) {
  if (auto bad = write_file(waiting_name(files), pair.certificate, 0644); !bad.ok()) return bad;
  if (auto bad = write_file(files.key, pair.private_key, 0600); !bad.ok()) return bad;
  return finish_replacing(files);
}

void settle_files(const node_files& files) {
  auto waiting = read_file(waiting_name(files));
  if (!waiting) return;
  auto key = read_file(files.key);
  std::error_code ignored;
  if (key && key_matches(key_pair{*waiting, *key}))
    (void)finish_replacing(files);  // what is missing shows when the files are read
  else
    std::filesystem::remove(waiting_name(files), ignored);
}

}  // namespace troupe::pki
