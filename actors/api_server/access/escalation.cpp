// RBAC's guard: nobody grants what they do not hold, unless they may escalate or bind.
#include <algorithm>

#include "actors/api_server/access/authorizer_state.hpp"
#include "actors/api_server/access/text.hpp"

namespace troupe::api {

namespace {

constexpr std::string_view rbac_group = "rbac.authorization.k8s.io";

std::string_view text_at(const node& object, std::string_view a, std::string_view b) {
  const node* found = object.find(a, b);
  return found ? found->string() : std::string_view();
}

bool collects(const node* role) {
  if (!role) return false;
  const node* rule = role->find("aggregationRule");
  return rule && !rule->is_null();
}

/// Whether the objects differ in metadata.ownerReferences and metadata.finalizers at most.
bool only_gc_fields_differ(const node& before, const node& after) {
  document a, b;
  a.root() = a.clone(before);
  b.root() = b.clone(after);
  for (document* doc : {&a, &b})
    if (node* meta = doc->root().find("metadata"))
      for (std::string_view field : {"ownerReferences", "finalizers", "managedFields", "resourceVersion", "generation"})
        doc->remove(*meta, field);
  return equal(a.root(), b.root());
}

class escalation_check {
 public:
  escalation_check(authorizer& judge, const request_context& context, const node& next)
      : judge_(judge.internals()), context_(context), user_(*context.user), name_(text_at(next, "metadata", "name")) {}

  status role(const node* previous, const node& next) {
    attributes what = named("escalate", context_.plural(), context_.name.empty() ? name_ : context_.name);
    if (judge_.judge(user_, what).allowed) return {};
    string_pool pool;
    if (status s = confirm(read_rules(next.find("rules"), pool)); !s.ok()) return s;
    if (!collects(&next) && !collects(previous)) return {};
    const policy_rules everything{{{"*"}, {"*"}, {"*"}, {}, {}}, {{"*"}, {}, {}, {}, {"*"}}};
    if (confirm(everything).ok()) return {};
    return refuse("must have cluster-admin privileges to use an aggregationRule");
  }

  status binding(const node& next) {
    bool cluster_role = text_at(next, "roleRef", "kind") == "ClusterRole";
    std::string_view role = text_at(next, "roleRef", "name");
    std::string_view plural = cluster_role ? "clusterroles" : "roles";
    if (judge_.judge(user_, named("bind", plural, role)).allowed) return {};
    const policy_rules* rules = judge_.role_rules(cluster_role, context_.namespace_name, role);
    if (!rules) return not_found(rbac_group, plural, role);
    return confirm(policy_rules(*rules));
  }

 private:
  attributes named(std::string_view verb, std::string_view plural, std::string_view name) const {
    attributes out;
    out.verb = verb;
    out.group = rbac_group;
    out.version = "*";
    out.resource = plural;
    out.namespace_name = context_.namespace_name;
    out.name = name;
    return out;
  }

  status refuse(std::string_view why) const { return forbidden_status(rbac_group, context_.plural(), name_, why); }

  status confirm(const policy_rules& wanted) {
    std::vector<std::string> errors;
    policy_rules held = judge_.rules_for(user_, context_.namespace_name, errors);
    policy_rules missing = compact_rules(missing_rules(held, wanted));
    if (missing.empty()) return {};
    std::vector<std::string> lines;
    for (const policy_rule& rule : missing) lines.push_back(rule_text(rule));
    std::sort(lines.begin(), lines.end());
    lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
    std::vector<std::string_view> groups(user_.groups.begin(), user_.groups.end());
    std::string why = "user " + go_quote(user_.name) + " (groups=" + go_quote_list(groups) +
                      ") is attempting to grant RBAC permissions not currently held:";
    for (const std::string& line : lines) why += "\n" + line;
    if (!errors.empty()) why += "; resolution errors: [" + aggregate_text(errors) + "]";
    return refuse(why);
  }

  authorizer::state& judge_;
  const request_context& context_;
  const user_info& user_;
  std::string_view name_;
};

}  // namespace

status check_escalation(authorizer& judge, const request_context& context, const node* previous, const node& next) {
  if (in_group(*context.user, "system:masters")) return {};
  if (previous && only_gc_fields_differ(*previous, next)) return {};
  escalation_check check(judge, context, next);
  std::string_view plural = context.plural();
  if (plural == "roles" || plural == "clusterroles") return check.role(previous, next);
  if (plural == "rolebindings" || plural == "clusterrolebindings") return check.binding(next);
  return {};
}

}  // namespace troupe::api
