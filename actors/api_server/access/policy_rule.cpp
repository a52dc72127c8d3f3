// RBAC's PolicyRule: what it allows, what it covers, and how Kubernetes prints it.
#include "actors/api_server/access/policy_rule.hpp"

#include <algorithm>

#include "actors/api_server/access/text.hpp"

namespace troupe::api {
inline namespace access_detail {

namespace {

using words = std::vector<std::string_view>;

bool contains(const words& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}
bool contains_or_all(const words& list, std::string_view word) { return contains(list, "*") || contains(list, word); }

words read_words(const node* list, string_pool& pool) {
  words out;
  if (!list) return out;
  out.reserve(list->size());
  for (std::size_t i = 0; list->is_array() && i < list->size(); ++i)
    out.push_back(pool.intern(list->element(i).string()));
  return out;
}

/// "*/scale" stands for the subresource scale of everything.
bool is_any_with_subresource(std::string_view rule, std::string_view subresource) {
  return rule.size() == subresource.size() + 2 && rule.starts_with("*/") && rule.substr(2) == subresource;
}

bool resource_matches(const words& rules, std::string_view resource, std::string_view subresource) {
  for (std::string_view rule : rules) {
    if (rule == "*") return true;
    if (subresource.empty()) {
      if (rule == resource) return true;
      continue;
    }
    if (rule.size() == resource.size() + 1 + subresource.size() && rule.starts_with(resource) &&
        rule[resource.size()] == '/' && rule.ends_with(subresource))
      return true;
    if (is_any_with_subresource(rule, subresource)) return true;
  }
  return false;
}

bool url_matches(const words& rules, std::string_view path) {
  for (std::string_view rule : rules) {
    if (rule == "*" || rule == path) return true;
    if (!rule.ends_with('*')) continue;
    auto last = rule.find_last_not_of('*');
    if (path.starts_with(last == std::string_view::npos ? std::string_view() : rule.substr(0, last + 1))) return true;
  }
  return false;
}

/// Whether `owner` covers the wanted "pods/log": itself, "*", or "*/log".
bool resource_covered(const words& owner, std::string_view wanted) {
  if (contains_or_all(owner, wanted)) return true;
  auto slash = wanted.find('/');
  if (slash == std::string_view::npos) return false;
  std::string_view subresource = wanted.substr(slash + 1);
  return std::any_of(owner.begin(), owner.end(),
                     [&](std::string_view rule) { return is_any_with_subresource(rule, subresource); });
}

bool url_covered(const words& owner, std::string_view wanted) {
  for (std::string_view rule : owner) {
    if (rule == wanted || rule == "*") return true;
    if (rule.ends_with('*') && wanted.starts_with(rule.substr(0, rule.size() - 1))) return true;
  }
  return false;
}

/// `part` has one verb and either one group and resource (and at most one name) or one URL.
bool rule_covers(const policy_rule& owner, const policy_rule& part) {
  if (!contains_or_all(owner.verbs, part.verbs[0])) return false;
  if (!part.urls.empty()) return url_covered(owner.urls, part.urls[0]);
  if (!contains_or_all(owner.groups, part.groups[0]) || !resource_covered(owner.resources, part.resources[0]))
    return false;
  if (owner.names.empty()) return true;
  return !part.names.empty() && contains(owner.names, part.names[0]);
}

void break_down(const policy_rule& rule, policy_rules& out) {
  for (std::string_view group : rule.groups)
    for (std::string_view resource : rule.resources)
      for (std::string_view verb : rule.verbs) {
        if (rule.names.empty()) out.push_back({{verb}, {group}, {resource}, {}, {}});
        for (std::string_view name : rule.names) out.push_back({{verb}, {group}, {resource}, {name}, {}});
      }
  for (std::string_view url : rule.urls)
    for (std::string_view verb : rule.verbs) out.push_back({{verb}, {}, {}, {}, {url}});
}

}  // namespace

policy_rules read_rules(const node* rules, string_pool& pool) {
  policy_rules out;
  if (!rules || !rules->is_array()) return out;
  out.reserve(rules->size());
  for (std::size_t i = 0; i < rules->size(); ++i) {
    const node& rule = rules->element(i);
    out.push_back({read_words(rule.find("verbs"), pool), read_words(rule.find("apiGroups"), pool),
                   read_words(rule.find("resources"), pool), read_words(rule.find("resourceNames"), pool),
                   read_words(rule.find("nonResourceURLs"), pool)});
  }
  return out;
}

bool rule_allows(const policy_rule& rule, const attributes& what, bool& name_matters) {
  if (!contains_or_all(rule.verbs, what.verb)) return false;
  if (!what.resource_request) return url_matches(rule.urls, what.path);
  if (!contains_or_all(rule.groups, what.group) || !resource_matches(rule.resources, what.resource, what.subresource))
    return false;
  if (rule.names.empty()) return true;
  name_matters = true;
  return contains(rule.names, what.name);
}

policy_rules missing_rules(const policy_rules& held, const policy_rules& wanted) {
  policy_rules parts, missing;
  for (const policy_rule& rule : wanted) break_down(rule, parts);
  for (policy_rule& part : parts)
    if (std::none_of(held.begin(), held.end(), [&](const policy_rule& owner) { return rule_covers(owner, part); }))
      missing.push_back(std::move(part));
  return missing;
}

policy_rules compact_rules(const policy_rules& rules) {
  policy_rules out;
  for (const policy_rule& rule : rules) {
    bool simple = rule.urls.empty() && rule.groups.size() == 1 && rule.resources.size() == 1 && rule.names.size() <= 1;
    auto same = std::find_if(out.begin(), out.end(), [&](const policy_rule& other) {
      return other.groups == rule.groups && other.resources == rule.resources && other.names == rule.names &&
             other.urls.empty();
    });
    if (!simple || same == out.end()) {
      out.push_back(rule);
    } else {
      same->verbs.insert(same->verbs.end(), rule.verbs.begin(), rule.verbs.end());
    }
  }
  return out;
}

std::string rule_text(const policy_rule& rule) {
  std::string out = "{";
  auto part = [&](std::string_view name, const words& list) {
    if (list.empty()) return;
    if (out.size() > 1) out += ", ";
    out += name;
    out += ':';
    out += go_quote_list(list);
  };
  part("APIGroups", rule.groups);
  part("Resources", rule.resources);
  part("NonResourceURLs", rule.urls);
  part("ResourceNames", rule.names);
  part("Verbs", rule.verbs);
  out += '}';
  return out;
}

}  // namespace access_detail
}  // namespace troupe::api
