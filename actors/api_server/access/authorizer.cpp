// Decisions: system:masters, the node authorizer, then RBAC, as kube-apiserver's union of authorizers.
#include <algorithm>

#include "actors/api_server/access/authorizer_state.hpp"
#include "actors/api_server/access/bootstrap_policy.hpp"
#include "actors/api_server/access/node_authorizer.hpp"
#include "actors/api_server/access/text.hpp"

namespace troupe::api {

namespace {

// Bounds of the memory; when one is reached everything is forgotten, which costs a few microseconds a user.
constexpr std::size_t max_users = 4096;
constexpr std::size_t max_verdicts = 16384;

void append_word(std::string& key, std::string_view word) {
  key += word;
  key += '\0';
}

}  // namespace

bool in_group(const user_info& user, std::string_view group) {
  return std::find(user.groups.begin(), user.groups.end(), group) != user.groups.end();
}

authorizer::authorizer(const cluster_view& cluster) : state_(std::make_unique<state>(cluster)) {}
authorizer::~authorizer() = default;

decision authorizer::decide(const user_info& user, const attributes& what) { return state_->judge(user, what); }

void authorizer::state::refresh() {
  bool full = users_.size() >= max_users || verdict_count_ >= max_verdicts;
  if (!index.refresh() && !full) return;
  users_.clear();
  verdict_count_ = 0;
}

authorizer::state::user_memory& authorizer::state::memory_of(const user_info& user) {
  key_.clear();
  append_word(key_, user.name);
  for (const std::string& group : user.groups) append_word(key_, group);
  auto found = users_.find(std::string_view(key_));
  return found != users_.end() ? found->second : users_[key_];
}

decision authorizer::state::by_rbac(user_memory& memory, const user_info& user, const attributes& what,
                                    bool& name_matters) {
  auto known = memory.grants.find(what.namespace_name);
  if (known == memory.grants.end())
    known = memory.grants.emplace(what.namespace_name, index.grants(user, what.namespace_name)).first;
  std::vector<std::string> errors;
  for (const grant& from : known->second) {
    if (!from.rules) {
      errors.push_back(missing_role_text(*from.binding));
      continue;
    }
    for (const policy_rule& rule : *from.rules)
      if (rule_allows(rule, what, name_matters)) return {true, false, "RBAC: allowed by " + grant_text(from), {}};
  }
  if (errors.empty()) return {};
  return {false, false, "RBAC: " + aggregate_text(errors), {}};
}

const decision& authorizer::state::judge(const user_info& user, const attributes& what) {
  static const decision unconditional{true, false, {}, {}};
  if (in_group(user, "system:masters")) return unconditional;
  refresh();
  std::string node_reason;
  if (std::string_view node_name = node_of(user); !node_name.empty()) {
    decision verdict = decide_for_node(node_name, what, node_policy_rules(), cluster);
    if (verdict.allowed) return unconditional;
    node_reason = std::move(verdict.reason);
  }
  user_memory& memory = memory_of(user);
  key_.clear();
  append_word(key_, what.verb);
  if (what.resource_request) {
    for (std::string_view word : {what.group, what.resource, what.subresource, what.namespace_name})
      append_word(key_, word);
  } else {
    append_word(key_, what.path);
  }
  auto known = memory.verdicts.find(std::string_view(key_));
  if (known != memory.verdicts.end() && node_reason.empty()) return known->second;
  bool name_matters = false;
  decision verdict = by_rbac(memory, user, what, name_matters);
  if (!verdict.allowed && !node_reason.empty())
    verdict.reason = verdict.reason.empty() ? node_reason : node_reason + "\n" + verdict.reason;
  if (name_matters || !node_reason.empty()) {
    fresh_ = std::move(verdict);
    return fresh_;
  }
  ++verdict_count_;
  return memory.verdicts.emplace(key_, std::move(verdict)).first->second;
}

policy_rules authorizer::state::rules_for(const user_info& user, std::string_view namespace_name,
                                          std::vector<std::string>& errors) {
  refresh();
  policy_rules out;
  for (const grant& from : index.grants(user, namespace_name)) {
    if (from.rules)
      out.insert(out.end(), from.rules->begin(), from.rules->end());
    else
      errors.push_back(missing_role_text(*from.binding));
  }
  return out;
}

const policy_rules* authorizer::state::role_rules(bool cluster_role, std::string_view namespace_name,
                                                  std::string_view name) {
  refresh();
  return index.role_rules(cluster_role, namespace_name, name);
}

}  // namespace troupe::api
