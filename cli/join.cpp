// See join.hpp.
#include "cli/join.hpp"

#include <chrono>
#include <ctime>
#include <filesystem>
#include <iostream>

#include <unistd.h>

#include "cli/http_client.hpp"
#include "messages/document.hpp"
#include "runtime/certificate_request.hpp"
#include "runtime/node_certificate.hpp"
#include "runtime/placement/node_process.hpp"

namespace troupe::cli {
namespace {

constexpr const char* signing_requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
constexpr std::chrono::seconds answer_patience{15};  // from the connect to the whole answer
constexpr std::size_t authority_bytes = 256 * 1024;  // a ConfigMap with one certificate is some 3 KiB
constexpr int sign_pause_us = 500'000;

std::string node_text(const node* found) { return found ? std::string(found->string()) : std::string(); }

/// The answer's JSON, or its Status' message as an error.
result<document> ask_api(http_client& client, const std::string& method, const std::string& target,
                         const std::string& body = {}) {
  auto answer = client.call(method, target, body);
  if (!answer) return answer.error();
  auto parsed = document::parse(answer->body);
  if (answer->code < 300 && parsed) return parsed;
  auto why = parsed ? node_text(parsed->root().find("message")) : std::string();
  return make_status(answer->code == 401   ? reason::unauthorized
                     : answer->code == 409 ? reason::already_exists
                                           : reason::service_unavailable,
                     answer->code == 401 ? "the token is not accepted: it is wrong or has expired"
                     : why.empty()       ? "the server answered " + std::to_string(answer->code)
                                         : why);
}

/// kube-public/kube-root-ca.crt, which anybody may read, if it has the hash.
result<std::string> fetch_authority(const join_settings& how, connection_settings where) {
  where.trusts_anybody = true;
  where.token.clear();  // nobody who is not known to be the server gets it
  where.body_limit = authority_bytes;
  http_client client(where);
  auto map = ask_api(client, "GET", "/api/v1/namespaces/kube-public/configmaps/kube-root-ca.crt");
  if (!map) return map.error();
  auto authority = node_text(map->root().find("data", "ca.crt"));
  auto pinned = pki::pinned_certificate(authority, how.authority_hash);
  if (!pinned)
    return make_status(reason::unauthorized,
                       how.server + ": " + pinned.error().message + ": this is not the cluster that was meant");
  return pinned;
}

/// Posts the request and waits for its certificate.
result<std::string> get_signed(http_client& client, const std::string& name, const std::string& pem, int patience_s) {
  auto made = ask_api(client, "POST", signing_requests, pki::node_request_json(name, pem));
  if (!made) return made.error();
  auto target = std::string(signing_requests) + "/" + node_text(made->root().find("metadata", "name"));
  for (int i = 0; i < patience_s * 1'000'000 / sign_pause_us; ++i) {
    auto now = ask_api(client, "GET", target);
    if (!now) return now.error();
    auto granted = pki::granted_certificate(now->root());
    if (!granted) return granted.error();
    if (const auto& certificate = *granted) return *certificate;
    usleep(sign_pause_us);
  }
  return make_status(reason::timeout, "nobody approved the request for a certificate: " + target);
}

bool is_good(const pki::node_files& files) {
  auto certificate = pki::read_file(files.certificate);
  auto key = pki::read_file(files.key);
  auto authority = pki::read_file(files.authority);
  return certificate && key && authority && pki::key_matches({*certificate, *key}) &&
         pki::not_after(*certificate) > static_cast<std::int64_t>(std::time(nullptr)) + 3600;
}

status join_one(http_client& client, const std::string& name, const pki::node_files& files,
                const std::string& authority, int patience_s) {
  pki::subject who;
  who.common_name = "system:node:" + name;
  who.organizations = {"system:nodes"};
  auto made = pki::make_request(who);
  if (!made) return made.error();
  auto certificate = get_signed(client, name, made->request, patience_s);
  if (!certificate) return certificate.error();
  if (!pki::key_matches({*certificate, made->private_key})) return internal_error("the certificate is of another key");
  if (auto bad = pki::write_file(files.authority, authority, 0644); !bad.ok()) return bad;
  return pki::replace_pair(files, {*certificate, made->private_key});
}

}  // namespace

std::string link_of(const std::string& server) {
  auto colon = server.rfind(':');
  return server.substr(0, colon) + ":6444";
}

status join_cluster(const join_settings& how, const runtime::configuration& config,
                    const std::vector<std::string>& names) {
  auto where = runtime::split_address(how.server);
  if (!where) return bad_request("--join: must be ADDRESS:PORT, not \"" + how.server + "\"");
  connection_settings reach;
  reach.host = where->host;
  reach.port = std::to_string(where->port);
  reach.token = how.token;
  reach.patience = answer_patience;
  for (const auto& name : names) {
    auto files = runtime::files_of_node(config, name);
    if (is_good(files)) continue;
    if (how.token.empty() || how.authority_hash.empty())
      return bad_request("--join needs --token and --ca-hash, as `troupe token create` prints them");
    std::error_code failed;
    std::filesystem::create_directories(std::filesystem::path(files.key).parent_path(), failed);
    if (failed) return internal_error("cannot create the folder of " + files.key + ": " + failed.message());
    if (reach.authority_pem.empty()) {
      auto authority = fetch_authority(how, reach);
      if (!authority) return authority.error();
      reach.authority_pem = *authority;
    }
    http_client client(reach);
    if (auto bad = join_one(client, name, files, reach.authority_pem, how.patience_s); !bad.ok()) return bad;
    std::cout << "joined as " << name << "\n" << std::flush;
  }
  return {};
}

}  // namespace troupe::cli
