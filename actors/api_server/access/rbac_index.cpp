// Roles and bindings of all cached RBAC objects, compiled for quick decisions.
#include "actors/api_server/access/rbac_index.hpp"

#include <algorithm>

#include "actors/api_server/access/text.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api {
inline namespace access_detail {

namespace {

constexpr std::string_view rbac_group = "rbac.authorization.k8s.io";
constexpr std::string_view account_prefix = "system:serviceaccount:";

std::uint16_t rbac_resource(std::string_view plural) { return schema::find_resource(rbac_group, "v1", plural); }

/// Whether the user's name is that of the service account ("system:serviceaccount:NAMESPACE:NAME").
bool is_account(std::string_view user, std::string_view namespace_name, std::string_view name) {
  if (namespace_name.empty() || !user.starts_with(account_prefix)) return false;
  user.remove_prefix(account_prefix.size());
  return user.size() == namespace_name.size() + 1 + name.size() && user.starts_with(namespace_name) &&
         user[namespace_name.size()] == ':' && user.ends_with(name);
}

bool applies(const subject& who, const user_info& user, std::string_view binding_namespace) {
  switch (who.what) {
    case subject::kind::user:
      return user.name == who.name;
    case subject::kind::group:
      return std::find(user.groups.begin(), user.groups.end(), who.name) != user.groups.end();
    case subject::kind::service_account:
      return is_account(user.name, who.namespace_name.empty() ? binding_namespace : who.namespace_name, who.name);
  }
  return false;
}

const subject* applying_subject(const compiled_binding& binding, const user_info& user) {
  for (const subject& who : binding.subjects)
    if (applies(who, user, binding.object->namespace_name)) return &who;
  return nullptr;
}

bool matches(const label_requirement& wanted, const object& role) {
  const std::string_view* value = role.label(wanted.key);
  if (wanted.op == "Exists") return value != nullptr;
  if (wanted.op == "DoesNotExist") return value == nullptr;
  bool listed = value && std::find(wanted.values.begin(), wanted.values.end(), *value) != wanted.values.end();
  return wanted.op == "In" ? listed : wanted.op == "NotIn" && !listed;
}

bool matches(const label_requirements& wanted, const object& role) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& one) { return matches(one, role); });
}

std::string subject_text(const grant& from) {
  const subject& who = *from.by;
  switch (who.what) {
    case subject::kind::user:
      return "User " + go_quote(who.name);
    case subject::kind::group:
      return "Group " + go_quote(who.name);
    case subject::kind::service_account:
      break;
  }
  std::string_view space = who.namespace_name.empty() ? from.binding->object->namespace_name : who.namespace_name;
  return "ServiceAccount " + go_quote(std::string(who.name) + "/" + std::string(space));
}

}  // namespace

rbac_index::rbac_index(const cluster_view& cluster)
    : cluster_(cluster),
      cluster_roles_{rbac_resource("clusterroles"), nullptr, {}},
      roles_{rbac_resource("roles"), nullptr, {}},
      cluster_bindings_{rbac_resource("clusterrolebindings"), nullptr, {}},
      bindings_{rbac_resource("rolebindings"), nullptr, {}} {}

bool rbac_index::refresh(source& from) {
  snapshot_ptr now = cluster_.objects(from.resource);
  if (now == from.seen) return false;
  from.seen = now;
  std::vector<object_ptr> objects;
  objects.reserve(now->size());
  now->visit({}, [&](const object_ptr& o) {
    objects.push_back(o);
    return true;
  });
  if (objects == from.objects) return false;  // only the revision moved on
  from.objects = std::move(objects);
  return true;
}

bool rbac_index::refresh() {
  bool cluster_roles = refresh(cluster_roles_), roles = refresh(roles_);
  bool cluster_bindings = refresh(cluster_bindings_), bindings = refresh(bindings_);
  if (cluster_roles) {
    compile_roles(cluster_roles_, cluster_role_by_name_);
    aggregate();
  }
  if (roles) compile_roles(roles_, role_by_key_);
  if (cluster_bindings) compile_bindings(cluster_bindings_, true, cluster_binding_list_);
  if (bindings) {
    std::vector<std::unique_ptr<compiled_binding>> all;
    for (auto& [space, list] : bindings_by_namespace_)
      for (auto& binding : list) all.push_back(std::move(binding));
    bindings_by_namespace_.clear();
    compile_bindings(bindings_, false, all);
    for (auto& binding : all) {
      auto& list = bindings_by_namespace_[binding->object->namespace_name];
      list.push_back(std::move(binding));
    }
  }
  return cluster_roles || roles || cluster_bindings || bindings;
}

std::string_view rbac_index::role_key(std::string_view namespace_name, std::string_view name) const {
  thread_local std::string key;
  key.assign(namespace_name);
  key += '/';
  key += name;
  return key;
}

void rbac_index::compile_roles(const source& from, role_map& into) {
  role_map before = std::move(into);
  into.clear();
  for (const object_ptr& o : from.objects) {
    std::string_view key =
        o->namespace_name.empty() ? words_.intern(o->name) : words_.intern(role_key(o->namespace_name, o->name));
    auto old = before.find(key);
    if (old != before.end() && old->second->object == o)
      into[key] = std::move(old->second);
    else
      into[key] = compile_role(o);
  }
}

std::unique_ptr<compiled_role> rbac_index::compile_role(const object_ptr& from) {
  auto role = std::make_unique<compiled_role>();
  role->object = from;
  auto parsed = document::parse(from->json.view());
  if (!parsed) return role;  // a broken object grants nothing
  const node& root = parsed->root();
  role->rules = read_rules(root.find("rules"), words_);
  const node* selectors = root.find("aggregationRule", "clusterRoleSelectors");
  role->aggregates = root.find("aggregationRule") && !root.find("aggregationRule")->is_null();
  for (std::size_t i = 0; selectors && i < selectors->size(); ++i)
    role->selectors.push_back(read_selector(selectors->element(i)));
  return role;
}

label_requirements rbac_index::read_selector(const node& selector) {
  label_requirements out;
  const node* labels = selector.find("matchLabels");
  for (const member* m = labels ? labels->begin_members() : nullptr; labels && m != labels->end_members(); ++m)
    out.push_back({words_.intern(m->key), "In", {words_.intern(m->value.string())}});
  const node* expressions = selector.find("matchExpressions");
  for (std::size_t i = 0; expressions && i < expressions->size(); ++i) {
    auto text = [&](const node* value) { return value ? words_.intern(value->string()) : std::string_view(); };
    const node& expression = expressions->element(i);
    label_requirement& one = out.emplace_back();
    one.key = text(expression.find("key"));
    one.op = text(expression.find("operator"));
    const node* values = expression.find("values");
    for (std::size_t j = 0; values && j < values->size(); ++j) one.values.push_back(text(&values->element(j)));
  }
  return out;
}

void rbac_index::compile_bindings(const source& from, bool cluster,
                                  std::vector<std::unique_ptr<compiled_binding>>& into) {
  std::unordered_map<const object*, std::unique_ptr<compiled_binding>> before;
  for (auto& binding : into) before[binding->object.get()] = std::move(binding);
  into.clear();
  into.reserve(from.objects.size());
  for (const object_ptr& o : from.objects) {
    auto old = before.find(o.get());
    into.push_back(old != before.end() ? std::move(old->second) : compile_binding(o, cluster));
  }
}

std::unique_ptr<compiled_binding> rbac_index::compile_binding(const object_ptr& from, bool cluster) {
  auto binding = std::make_unique<compiled_binding>();
  binding->object = from;
  binding->cluster = cluster;
  auto parsed = document::parse(from->json.view());
  if (!parsed) return binding;
  const node& root = parsed->root();
  const node* kind = root.find("roleRef", "kind");
  const node* name = root.find("roleRef", "name");
  binding->cluster_role = kind && kind->string() == "ClusterRole";
  binding->role_name = name ? words_.intern(name->string()) : std::string_view();
  const node* subjects = root.find("subjects");
  for (std::size_t i = 0; subjects && i < subjects->size(); ++i) {
    auto text = [&](std::string_view field) {
      const node* value = subjects->element(i).find(field);
      return value ? words_.intern(value->string()) : std::string_view();
    };
    std::string_view what = text("kind");
    if (what == "User") binding->subjects.push_back({subject::kind::user, {}, text("name")});
    if (what == "Group") binding->subjects.push_back({subject::kind::group, {}, text("name")});
    if (what == "ServiceAccount")
      binding->subjects.push_back({subject::kind::service_account, text("namespace"), text("name")});
  }
  return binding;
}

void rbac_index::aggregate() {
  aggregated_.clear();
  // Collected roles may collect others (admin > edit > view), so go round until nothing is added.
  for (bool changed = true; changed;) {
    changed = false;
    for (const object_ptr& target : cluster_roles_.objects) {
      const compiled_role& role = *cluster_role_by_name_.at(target->name);
      if (!role.aggregates) continue;
      policy_rules& sum = aggregated_[target->name];
      std::size_t before = sum.size();
      for (const object_ptr& other : cluster_roles_.objects) {
        if (other == target) continue;
        bool wanted = std::any_of(role.selectors.begin(), role.selectors.end(),
                                  [&](const auto& selector) { return matches(selector, *other); });
        if (!wanted) continue;
        for (const policy_rule& rule : *role_rules(true, {}, other->name))
          if (std::find(sum.begin(), sum.end(), rule) == sum.end()) sum.push_back(rule);
      }
      changed |= sum.size() != before;
    }
  }
}

const policy_rules* rbac_index::role_rules(bool cluster_role, std::string_view namespace_name,
                                           std::string_view name) const {
  const role_map& roles = cluster_role ? cluster_role_by_name_ : role_by_key_;
  auto found = roles.find(cluster_role ? name : role_key(namespace_name, name));
  if (found == roles.end()) return nullptr;
  if (!found->second->aggregates) return &found->second->rules;
  auto sum = aggregated_.find(name);
  static const policy_rules none;
  return sum != aggregated_.end() ? &sum->second : &none;
}

std::vector<grant> rbac_index::grants(const user_info& user, std::string_view namespace_name) const {
  std::vector<grant> out;
  auto add = [&](const compiled_binding& binding) {
    if (const subject* who = applying_subject(binding, user))
      out.push_back(
          {&binding, who, role_rules(binding.cluster_role, binding.object->namespace_name, binding.role_name)});
  };
  for (const auto& binding : cluster_binding_list_) add(*binding);
  if (namespace_name.empty()) return out;
  auto local = bindings_by_namespace_.find(namespace_name);
  if (local == bindings_by_namespace_.end()) return out;
  for (const auto& binding : local->second) add(*binding);
  return out;
}

std::string grant_text(const grant& from) {
  const compiled_binding& binding = *from.binding;
  std::string name(binding.object->name);
  if (!binding.cluster) name += "/" + std::string(binding.object->namespace_name);
  return std::string(binding.cluster ? "ClusterRoleBinding " : "RoleBinding ") + go_quote(name) + " of " +
         (binding.cluster_role ? "ClusterRole " : "Role ") + go_quote(binding.role_name) + " to " + subject_text(from);
}

std::string missing_role_text(const compiled_binding& from) {
  return std::string(from.cluster_role ? "clusterrole" : "role") + ".rbac.authorization.k8s.io " +
         go_quote(from.role_name) + " not found";
}

}  // namespace access_detail
}  // namespace troupe::api
