// Who asks: certificate users, anonymous, bearer tokens, and impersonation by headers.
#include <algorithm>

#include "actors/api_server/access/authorizer_state.hpp"
#include "actors/api_server/access/bootstrap_token.hpp"
#include "actors/api_server/access/text.hpp"

namespace troupe::api {

namespace {

constexpr std::string_view authenticated_group = "system:authenticated";
constexpr std::string_view unauthenticated_group = "system:unauthenticated";
constexpr std::string_view anonymous_name = "system:anonymous";
constexpr std::string_view account_prefix = "system:serviceaccount:";
constexpr std::string_view extra_header = "impersonate-extra-";

const user_ptr& anonymous() {
  static const user_ptr user = std::make_shared<const user_info>(
      user_info{std::string(anonymous_name), {}, {std::string(unauthenticated_group)}, {}});
  return user;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

/// The token of an Authorization header, empty when it carries none.
std::string_view bearer_token(const request& incoming) {
  for (const auto& [name, value] : incoming.headers) {
    if (name != "authorization") continue;
    std::string_view text = value;
    auto space = text.find(' ');
    if (space == std::string_view::npos || !equal_ignoring_case(text.substr(0, space), "bearer")) return {};
    text.remove_prefix(space + 1);
    auto begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) return {};
    text.remove_prefix(begin);
    return text.substr(0, text.find(' '));
  }
  return {};
}

/// Percent-decoded and in lower case, as keys of extra fields travel in header names; as it is when badly escaped.
std::string extra_key(std::string_view escaped) {
  auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  std::string lower(escaped), out;
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  for (std::size_t i = 0; i < lower.size(); ++i) {
    if (lower[i] != '%') {
      out += lower[i];
      continue;
    }
    if (i + 2 >= lower.size() || digit(lower[i + 1]) < 0 || digit(lower[i + 2]) < 0) return lower;
    out += static_cast<char>(digit(lower[i + 1]) * 16 + digit(lower[i + 2]));
    i += 2;
  }
  return out;
}

/// What the headers ask to act as.
struct impersonation {
  std::string_view user, uid;
  std::vector<std::string_view> groups;
  std::vector<std::pair<std::string, std::vector<std::string_view>>> extra;
  bool any() const { return !user.empty() || !uid.empty() || !groups.empty() || !extra.empty(); }
};

impersonation read_impersonation(const request& incoming) {
  impersonation out;
  for (const auto& [name, value] : incoming.headers) {
    if (!name.starts_with("impersonate-")) continue;
    if (name == "impersonate-user") out.user = value;
    if (name == "impersonate-uid") out.uid = value;
    if (name == "impersonate-group") out.groups.push_back(value);
    if (!name.starts_with(extra_header)) continue;
    std::string key = extra_key(std::string_view(name).substr(extra_header.size()));
    auto found = std::find_if(out.extra.begin(), out.extra.end(), [&](auto& pair) { return pair.first == key; });
    if (found == out.extra.end()) {
      out.extra.emplace_back(std::move(key), std::vector<std::string_view>());
      found = std::prev(out.extra.end());
    }
    found->second.push_back(value);
  }
  return out;
}

/// Headers without a user, listed as Go prints the object references it made of them.
status without_user(const impersonation& wanted, std::string_view path) {
  std::string list;
  auto add = [&](std::string_view kind, std::string_view name, std::string_view version, std::string_view field) {
    if (!list.empty()) list += ' ';
    list += "{" + std::string(kind) + "  " + std::string(name) + "  " + std::string(version) + "  " +
            std::string(field) + "}";
  };
  for (std::string_view group : wanted.groups) add("Group", group, "", "");
  for (const auto& [key, values] : wanted.extra)
    for (std::string_view value : values) add("UserExtra", value, "authentication.k8s.io/v1", key);
  if (!wanted.uid.empty()) add("UID", wanted.uid, "authentication.k8s.io/v1", "");
  return make_status(reason::internal_error, "Internal Server Error: " + go_quote(path) + ": requested [" + list +
                                                 "] without impersonating a user");
}

/// NAMESPACE and NAME of "system:serviceaccount:NAMESPACE:NAME"; false for another user.
bool split_account(std::string_view user, std::string_view& space, std::string_view& name) {
  if (!user.starts_with(account_prefix)) return false;
  user.remove_prefix(account_prefix.size());
  auto colon = user.find(':');
  if (colon == 0 || colon == std::string_view::npos || colon + 1 == user.size()) return false;
  space = user.substr(0, colon);
  name = user.substr(colon + 1);
  return name.find(':') == std::string_view::npos;
}

attributes impersonate(std::string_view resource, std::string_view name) {
  attributes out;
  out.verb = "impersonate";
  out.version = "v1";
  out.resource = resource;
  out.name = name;
  return out;
}

class impersonator {
 public:
  impersonator(authorizer& judge, const user_info& real) : judge_(judge.internals()), real_(real) {}

  /// Checks every part of the request against the real user's rights; fills `out`.
  status check(const impersonation& wanted, user_info& out) {
    if (status s = check_user(wanted, out); !s.ok()) return s;
    for (std::string_view group : wanted.groups) {
      if (status s = ask(impersonate("groups", group)); !s.ok()) return s;
      out.groups.emplace_back(group);
    }
    for (const auto& [key, values] : wanted.extra) {
      auto& kept = out.extra.emplace_back(key, std::vector<std::string>{}).second;
      for (std::string_view value : values) {
        attributes what = impersonate("userextras", value);
        what.group = authentication_group;
        what.subresource = key;
        if (status s = ask(what); !s.ok()) return s;
        kept.emplace_back(value);
      }
    }
    if (!wanted.uid.empty()) {
      attributes what = impersonate("uids", wanted.uid);
      what.group = authentication_group;
      if (status s = ask(what); !s.ok()) return s;
      out.uid = wanted.uid;
    }
    complete_groups(out);
    return {};
  }

 private:
  status check_user(const impersonation& wanted, user_info& out) {
    out.name = wanted.user;
    std::string_view space, name;
    if (!split_account(wanted.user, space, name)) return ask(impersonate("users", wanted.user));
    attributes what = impersonate("serviceaccounts", name);
    what.namespace_name = space;
    if (wanted.groups.empty()) out.groups = {"system:serviceaccounts", "system:serviceaccounts:" + std::string(space)};
    return ask(what);
  }

  status ask(const attributes& what) {
    const decision& verdict = judge_.judge(real_, what);
    if (verdict.allowed) return {};
    return forbidden_request(real_, what, verdict.reason);
  }

  static void complete_groups(user_info& out) {
    if (in_group(out, unauthenticated_group)) return;
    bool anonymous = out.name == anonymous_name;
    if (!anonymous && in_group(out, authenticated_group)) return;
    out.groups.emplace_back(anonymous ? unauthenticated_group : authenticated_group);
  }

  authorizer::state& judge_;
  const user_info& real_;
};

}  // namespace

status authenticate(const request& incoming, authorizer& judge, request_context& context) {
  if (!incoming.auth_error.empty()) return make_status(reason::unauthorized, "Unauthorized");
  if (incoming.user) {
    context.real_user = judge.internals().completed(incoming.user);
  } else if (auto token = bearer_token(incoming); !token.empty()) {
    // Of service accounts' tokens no issuer is known yet.
    context.real_user = bootstrap_user(token, judge.internals().cluster, context.now_ms);
    if (!context.real_user) return make_status(reason::unauthorized, "Unauthorized");
  } else {
    context.real_user = anonymous();
  }
  context.user = context.real_user;
  if (incoming.headers.empty()) return {};
  impersonation wanted = read_impersonation(incoming);
  if (!wanted.any()) return {};
  if (wanted.user.empty()) return without_user(wanted, context.path);
  auto acting = std::make_shared<user_info>();
  if (status s = impersonator(judge, *context.real_user).check(wanted, *acting); !s.ok()) return s;
  context.user = std::move(acting);
  return {};
}

user_ptr authorizer::state::completed(const user_ptr& user) {
  if (in_group(*user, authenticated_group) || in_group(*user, unauthenticated_group)) return user;
  auto known = completed_.find(user.get());
  if (known != completed_.end()) return known->second.second;
  auto full = std::make_shared<user_info>(*user);
  full->groups.emplace_back(user->name == anonymous_name ? unauthenticated_group : authenticated_group);
  if (completed_.size() >= 1024) completed_.clear();
  return completed_.emplace(user.get(), std::pair(user, std::move(full))).first->second.second;
}

}  // namespace troupe::api
