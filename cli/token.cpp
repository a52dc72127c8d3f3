// `troupe token create|list|delete`: bootstrap tokens, by which machines join.
#include <ctime>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include <openssl/rand.h>

#include "cli/commands.hpp"
#include "cli/http_client.hpp"
#include "messages/document.hpp"
#include "messages/schema/scalars.hpp"
#include "messages/wall_time.hpp"
#include "runtime/certificate_request.hpp"

namespace troupe::cli {
namespace {

constexpr const char* token_secrets = "/api/v1/namespaces/kube-system/secrets";

struct token_flags {
  std::string kubeconfig, name;
  std::int64_t hours = 24;
};

int refuse_token(const std::string& why) {
  std::cerr << "troupe token: " << why << "\n";
  return 1;
}

/// That many of the 36 letters and digits, each as likely as the others.
std::string random_letters(std::size_t size) {
  static constexpr std::string_view digits = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::string out;
  while (out.size() < size) {
    unsigned char byte = 0;
    if (RAND_bytes(&byte, 1) != 1) return {};
    if (byte < 252) out += digits[byte % 36];
  }
  return out;
}

/// A Secret as kubeadm makes it.
std::string secret_body(const std::string& id, const std::string& secret, std::int64_t hours) {
  document doc;
  auto& root = doc.root();
  doc.make_object(root);
  doc.set(root, "kind", "Secret");
  doc.set(root, "apiVersion", "v1");
  auto& metadata = doc.set(root, "metadata");
  doc.make_object(metadata);
  doc.set(metadata, "name", std::string_view("bootstrap-token-" + id));
  doc.set(root, "type", "bootstrap.kubernetes.io/token");
  auto& data = doc.set(root, "stringData");
  doc.make_object(data);
  doc.set(data, "token-id", std::string_view(id));
  doc.set(data, "token-secret", std::string_view(secret));
  doc.set(data, "usage-bootstrap-authentication", "true");
  doc.set(data, "auth-extra-groups", "system:bootstrappers:kubeadm:default-node-token");
  if (hours > 0)
    doc.set(data, "expiration",
            std::string_view(time_text(static_cast<std::uint64_t>(std::time(nullptr) + hours * 3600) * 1000)));
  return to_json(root);
}

int fail_token(const result<http_answer>& answer) {
  if (!answer) return refuse_token(answer.error().message);
  auto parsed = document::parse(answer->body);
  const node* message = parsed ? parsed->root().find("message") : nullptr;
  return refuse_token(message ? std::string(message->string()) : "the server answered " + std::to_string(answer->code));
}

int create_token(const token_flags& given) {
  auto settings = read_kubeconfig(given.kubeconfig);
  if (!settings) return refuse_token(settings.error().message);
  auto hash = pki::public_key_hash(settings->authority_pem);
  if (!hash) return refuse_token(hash.error().message);
  auto id = random_letters(6), secret = random_letters(16);
  if (id.empty() || secret.empty()) return refuse_token("there is no randomness to be had");
  http_client client(*settings);
  auto answer = client.call("POST", token_secrets, secret_body(id, secret, given.hours));
  if (!answer || answer->code != 201) return fail_token(answer);
  std::cout << "troupe node --join " << settings->host << ":" << settings->port << " --token " << id << "." << secret
            << " --ca-hash " << *hash << "\n";
  return 0;
}

int list_tokens(const token_flags& given) {
  auto settings = read_kubeconfig(given.kubeconfig);
  if (!settings) return refuse_token(settings.error().message);
  http_client client(*settings);
  auto answer = client.call(
      "GET", std::string(token_secrets) + "?fieldSelector=" + url_encode("type=bootstrap.kubernetes.io/token"));
  if (!answer || answer->code != 200) return fail_token(answer);
  auto parsed = document::parse(answer->body);
  if (!parsed) return refuse_token("the answer cannot be read");
  const node* items = parsed->root().find("items");
  std::cout << "TOKEN ID  EXPIRES\n";
  for (std::size_t i = 0; items && items->is_array() && i < items->size(); ++i) {
    const node* id = items->element(i).find("data", "token-id");
    const node* end = items->element(i).find("data", "expiration");
    std::cout << (id ? schema::from_base64(id->string()) : "?") << "  "
              << (end ? schema::from_base64(end->string()) : "never") << "\n";
  }
  return 0;
}

int drop_token(const token_flags& given) {
  auto settings = read_kubeconfig(given.kubeconfig);
  if (!settings) return refuse_token(settings.error().message);
  http_client client(*settings);
  auto id = given.name.substr(0, given.name.find('.'));
  auto answer = client.call("DELETE", std::string(token_secrets) + "/bootstrap-token-" + url_encode(id));
  return answer && answer->code == 200 ? 0 : fail_token(answer);
}

}  // namespace

void add_token(CLI::App& app, int& exit_code) {
  auto given = std::make_shared<token_flags>();
  auto* token = app.add_subcommand("token", "Tokens by which machines join");
  token->require_subcommand(1);
  token->add_option("--kubeconfig", given->kubeconfig, "of an administrator");
  auto* made = token->add_subcommand("create", "Make a token; prints the command for the machine that is to join");
  made->add_option("--hours", given->hours, "how long it may be used; 0: for ever")->check(CLI::Range(0, 87600));
  made->callback([given, &exit_code] { exit_code = create_token(*given); });
  token->add_subcommand("list", "Tokens and when they expire")->callback([given, &exit_code] {
    exit_code = list_tokens(*given);
  });
  auto* gone = token->add_subcommand("delete", "Make a token useless");
  gone->add_option("id", given->name, "ID or ID.SECRET")->required();
  gone->callback([given, &exit_code] { exit_code = drop_token(*given); });
}

}  // namespace troupe::cli
