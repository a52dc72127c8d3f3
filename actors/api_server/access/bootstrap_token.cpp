// See bootstrap_token.hpp.
#include "actors/api_server/access/bootstrap_token.hpp"

#include <algorithm>

#include "messages/document.hpp"
#include "messages/schema/scalars.hpp"
#include "messages/schema/schema.hpp"
#include "messages/wall_time.hpp"

namespace troupe::api {
namespace {

constexpr std::size_t id_size = 6, secret_size = 16;

/// [a-z0-9]
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

/// In a time that does not tell how much of it is right.
bool equal_secrets(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char differs = 0;
  for (std::size_t i = 0; i < a.size(); ++i) differs |= static_cast<unsigned char>(a[i] ^ b[i]);
  return differs == 0;
}

std::string data_of(const node& secret, std::string_view key) {
  const node* found = secret.find("data", key);
  return found ? schema::from_base64(found->string()) : std::string();
}

bool has_expired(const std::string& expiration, std::int64_t now_ms) {
  if (expiration.empty()) return false;
  auto read = schema::normal_time(expiration, schema::time_format::seconds);
  if (!read.ok) return true;
  return (read.same ? expiration : read.text) <= time_text(static_cast<std::uint64_t>(now_ms));
}

/// ^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$
bool is_bootstrap_group(std::string_view group) {
  constexpr std::string_view prefix = "system:bootstrappers:";
  if (!group.starts_with(prefix)) return false;
  group.remove_prefix(prefix.size());
  if (group.empty() || group.size() > 256 || !is_plain(group.substr(group.size() - 1))) return false;
  return std::all_of(group.begin(), group.end(),
                     [](char c) { return is_plain(std::string_view(&c, 1)) || c == ':' || c == '-'; });
}

/// system:bootstrappers and what the Secret adds; empty when that is not well-formed.
std::vector<std::string> groups_of(const node& secret) {
  std::vector<std::string> out = {"system:bootstrappers"};
  auto more = data_of(secret, "auth-extra-groups");
  for (std::size_t at = 0; at < more.size();) {
    auto end = std::min(more.find(',', at), more.size());
    out.emplace_back(more, at, end - at);
    if (!is_bootstrap_group(out.back())) return {};
    at = end + 1;
  }
  out.emplace_back("system:authenticated");
  return out;
}

}  // namespace

user_ptr bootstrap_user(std::string_view token, const cluster_view& cluster, std::int64_t now_ms) {
  static const auto secrets = schema::find_resource("", "v1", "secrets");
  if (token.size() != id_size + 1 + secret_size || token[id_size] != '.') return nullptr;
  auto id = token.substr(0, id_size), secret = token.substr(id_size + 1);
  if (!is_plain(id) || !is_plain(secret)) return nullptr;
  std::string name = "bootstrap-token-";
  const auto all = cluster.objects(secrets);
  const object_ptr* found = all->find("kube-system", name.append(id));
  if (!found) return nullptr;
  auto parsed = document::parse((*found)->json.view());
  if (!parsed) return nullptr;
  const node& root = parsed->root();
  const node* type = root.find("type");
  if (!type || type->string() != "bootstrap.kubernetes.io/token") return nullptr;
  if (root.find("metadata", "deletionTimestamp") || data_of(root, "token-id") != id) return nullptr;
  if (!equal_secrets(data_of(root, "token-secret"), secret)) return nullptr;
  if (has_expired(data_of(root, "expiration"), now_ms)) return nullptr;
  if (data_of(root, "usage-bootstrap-authentication") != "true") return nullptr;
  auto user = std::make_shared<user_info>();
  user->name = "system:bootstrap:";
  user->name.append(id);
  user->groups = groups_of(root);
  return user->groups.empty() ? nullptr : user;
}

}  // namespace troupe::api
