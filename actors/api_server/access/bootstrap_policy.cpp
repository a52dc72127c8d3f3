// RBAC's default policy, read from a compact text.
#include "actors/api_server/access/bootstrap_policy.hpp"

#include <algorithm>
#include <stdexcept>

#include "actors/api_server/access/access.hpp"
#include "messages/document.hpp"

namespace troupe::api {

namespace {

using words = std::vector<std::string_view>;

words split(std::string_view text, char separator) {
  words out;
  while (!text.empty()) {
    auto end = text.find(separator);
    if (end != 0) out.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return out;
}

words sorted(words list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

words read_verbs(std::string_view text) {
  static const words read{"get", "list", "watch"}, write{"create", "update", "patch", "delete", "deletecollection"};
  words out;
  for (std::string_view word : split(text, ',')) {
    if (word == "READ" || word == "ALL") out.insert(out.end(), read.begin(), read.end());
    if (word == "WRITE" || word == "ALL") out.insert(out.end(), write.begin(), write.end());
    if (word != "READ" && word != "WRITE" && word != "ALL") out.push_back(word);
  }
  return sorted(out);
}

words read_groups(std::string_view text) {
  words out = split(text, ',');
  for (std::string_view& group : out)
    if (group == "core") group = "";
  return sorted(out);
}

/// One statement: its words, with the lists of continuation lines joined on.
class policy_reader {
 public:
  std::vector<policy_object> read(std::span<const std::string_view> texts) {
    for (std::string_view text : texts) {
      std::vector<words> statements;
      for (std::string_view line : split(text, '\n')) {
        words parts = split(line, ' ');
        if (!parts.empty() && parts[0] == "+")
          statements.back().insert(statements.back().end(), parts.begin(), parts.end());
        else if (!parts.empty())
          statements.push_back(std::move(parts));
      }
      for (const words& statement : statements) take(statement);
    }
    out_.insert(out_.end(), std::make_move_iterator(controller_bindings_.begin()),
                std::make_move_iterator(controller_bindings_.end()));
    return std::move(out_);
  }

 private:
  void take(const words& parts) {
    std::string_view first = parts[0];
    using kind = policy_object::kind;
    if (first == "namespace")
      namespace_ = parts[1];
    else if (first == "clusterrole")
      open(kind::cluster_role, parts);
    else if (first == "role")
      open(kind::role, parts);
    else if (first == "controller")
      controller(parts[1]);
    else if (first == "clusterbinding")
      binding(kind::cluster_role_binding, parts);
    else if (first == "binding")
      binding(kind::role_binding, parts);
    else
      rule(parts);
  }

  policy_object& open(policy_object::kind what, const words& parts) {
    policy_object& object = out_.emplace_back();
    object.what = what;
    object.name = parts[1];
    if (what == policy_object::kind::role || what == policy_object::kind::role_binding)
      object.namespace_name = namespace_;
    for (std::string_view part : parts) {
      if (part.starts_with("into=")) object.into = part.substr(5);
      if (part.starts_with("collect=")) object.collect = part.substr(8);
    }
    return object;
  }

  void controller(std::string_view name) {
    std::string role = "system:controller:" + std::string(name);
    policy_object& object = out_.emplace_back();
    object.what = policy_object::kind::cluster_role;
    object.name = role;
    policy_object& bound = controller_bindings_.emplace_back();
    bound.what = policy_object::kind::cluster_role_binding;
    bound.name = bound.role_name = role;
    bound.subjects = {{"ServiceAccount", "kube-system", name}};
  }

  void binding(policy_object::kind what, const words& parts) {
    policy_object& object = open(what, parts);
    object.role_name = object.name;
    for (std::string_view part : parts) {
      if (part.starts_with("role=")) object.role_name = part.substr(5);
      if (part.starts_with("users="))
        for (std::string_view user : split(part.substr(6), ',')) object.subjects.push_back({"User", {}, user});
      if (part.starts_with("groups="))
        for (std::string_view group : split(part.substr(7), ',')) object.subjects.push_back({"Group", {}, group});
      if (part.starts_with("accounts="))
        for (std::string_view account : split(part.substr(9), ',')) {
          words pair = split(account, '/');
          object.subjects.push_back({"ServiceAccount", pair[0], pair[1]});
        }
    }
  }

  void rule(const words& parts) {
    policy_rule& rule = out_.back().rules.emplace_back();
    if (parts[0] == "EVENTS") {
      rule = {{"create", "patch", "update"}, {"", "events.k8s.io"}, {"events"}, {}, {}};
      return;
    }
    rule.verbs = read_verbs(parts[0]);
    words items;
    for (std::size_t i = 2; i < parts.size(); ++i) {
      bool is_name = parts[i].starts_with("names=") || (!rule.names.empty() && parts[i] != "+");
      words list = split(parts[i].starts_with("names=") ? parts[i].substr(6) : parts[i], ',');
      words& into = is_name ? rule.names : items;
      if (parts[i] != "+") into.insert(into.end(), list.begin(), list.end());
    }
    rule.names = sorted(rule.names);
    if (parts[1] == "url") {
      rule.urls = sorted(items);
      return;
    }
    rule.groups = read_groups(parts[1]);
    rule.resources = sorted(items);
  }

  std::string_view namespace_;
  std::vector<policy_object> out_, controller_bindings_;
};

std::string_view kind_name(policy_object::kind what) {
  switch (what) {
    case policy_object::kind::cluster_role:
      return "ClusterRole";
    case policy_object::kind::role:
      return "Role";
    case policy_object::kind::cluster_role_binding:
      return "ClusterRoleBinding";
    case policy_object::kind::role_binding:
      return "RoleBinding";
  }
  return {};
}

bool is_role(policy_object::kind what) {
  return what == policy_object::kind::cluster_role || what == policy_object::kind::role;
}

void append_list(std::string& out, std::string_view name, const words& list, bool& first) {
  if (list.empty()) return;
  if (!first) out += ',';
  first = false;
  append_json_string(out, name);
  out += ":[";
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i) out += ',';
    append_json_string(out, list[i]);
  }
  out += ']';
}

void append_rules(std::string& out, const policy_rules& rules) {
  out += "\"rules\":[";
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (i) out += ',';
    out += '{';
    bool first = true;
    append_list(out, "verbs", rules[i].verbs, first);
    append_list(out, "apiGroups", rules[i].groups, first);
    append_list(out, "resources", rules[i].resources, first);
    append_list(out, "resourceNames", rules[i].names, first);
    append_list(out, "nonResourceURLs", rules[i].urls, first);
    out += '}';
  }
  out += ']';
}

void append_subjects(std::string& out, const policy_object& from) {
  if (!from.subjects.empty()) {
    out += "\"subjects\":[";
    for (const policy_subject& who : from.subjects) {
      if (&who != &from.subjects[0]) out += ',';
      out += "{\"kind\":\"" + std::string(who.kind) + "\"";
      if (who.kind != "ServiceAccount") out += ",\"apiGroup\":\"rbac.authorization.k8s.io\"";
      out += ",\"name\":\"" + std::string(who.name) + "\"";
      if (!who.namespace_name.empty()) out += ",\"namespace\":\"" + std::string(who.namespace_name) + "\"";
      out += '}';
    }
    out += "],";
  }
  out += "\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"";
  out += from.what == policy_object::kind::cluster_role_binding ? "ClusterRole" : "Role";
  out += "\",\"name\":\"" + from.role_name + "\"}";
}

/// Rules of a role with those it collects, as the aggregation controller would write them.
policy_rules collected_rules(const policy_object& from, const std::vector<policy_object>& all) {
  if (from.collect.empty()) return from.rules;
  policy_rules sum;
  std::vector<const policy_object*> parts;
  for (const policy_object& other : all)
    if (other.what == policy_object::kind::cluster_role && other.into == from.collect) parts.push_back(&other);
  std::sort(parts.begin(), parts.end(), [](auto* a, auto* b) { return a->name < b->name; });
  for (const policy_object* part : parts)
    for (const policy_rule& rule : collected_rules(*part, all))
      if (std::find(sum.begin(), sum.end(), rule) == sum.end()) sum.push_back(rule);
  return sum;
}

}  // namespace

std::vector<policy_object> read_bootstrap_policy() { return policy_reader().read(bootstrap_policy_texts()); }

const policy_rules& node_policy_rules() {
  static const policy_rules rules = [] {
    for (policy_object& object : read_bootstrap_policy())
      if (object.name == "system:node" && object.what == policy_object::kind::cluster_role) return object.rules;
    throw std::logic_error("the default policy has no role system:node");
  }();
  return rules;
}

std::string to_json(const policy_object& from, const std::vector<policy_object>& all) {
  constexpr std::string_view aggregate_label = "rbac.authorization.k8s.io/aggregate-to-";
  std::string out = "{\"kind\":\"" + std::string(kind_name(from.what)) +
                    "\",\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"metadata\":{\"name\":\"" + from.name + "\"";
  if (!from.namespace_name.empty()) out += ",\"namespace\":\"" + std::string(from.namespace_name) + "\"";
  out += ",\"labels\":{\"kubernetes.io/bootstrapping\":\"rbac-defaults\"";
  if (!from.into.empty()) out += ",\"" + std::string(aggregate_label) + std::string(from.into) + "\":\"true\"";
  out += "},\"annotations\":{\"rbac.authorization.kubernetes.io/autoupdate\":\"true\"}},";
  if (is_role(from.what))
    append_rules(out, collected_rules(from, all));
  else
    append_subjects(out, from);
  if (!from.collect.empty())
    out += ",\"aggregationRule\":{\"clusterRoleSelectors\":[{\"matchLabels\":{\"" + std::string(aggregate_label) +
           std::string(from.collect) + "\":\"true\"}}]}";
  out += '}';
  return out;
}

const std::vector<std::string>& bootstrap_objects() {
  static const std::vector<std::string> objects = [] {
    std::vector<policy_object> all = read_bootstrap_policy();
    std::vector<std::string> out;
    out.reserve(all.size());
    for (const policy_object& object : all) out.push_back(to_json(object, all));
    return out;
  }();
  return objects;
}

namespace {

bool has_equal(const node* list, const node& wanted) {
  for (std::size_t i = 0; list && i < list->size(); ++i)
    if (equal(list->element(i), wanted)) return true;
  return false;
}

bool add_missing(document& current, std::string_view field, const node* wanted, bool by_coverage) {
  if (!wanted || wanted->empty()) return false;
  string_pool pool;
  policy_rules held = by_coverage ? read_rules(current.root().find(field), pool) : policy_rules{};
  bool changed = false;
  for (std::size_t i = 0; i < wanted->size(); ++i) {
    const node& one = wanted->element(i);
    if (has_equal(current.root().find(field), one)) continue;
    document holder;
    if (by_coverage) {
      holder.make_array(holder.root());
      holder.append(holder.root(), holder.clone(one));
      if (missing_rules(held, read_rules(&holder.root(), pool)).empty()) continue;
    }
    current.append(current.set(current.root(), field), current.clone(one));
    changed = true;
  }
  return changed;
}

}  // namespace

bool reconcile_bootstrap(document& current, const node& wanted) {
  const node* off = current.root().find("metadata", "annotations", "rbac.authorization.kubernetes.io/autoupdate");
  if (off && off->string() == "false") return false;
  bool rules = !current.root().find("aggregationRule") && add_missing(current, "rules", wanted.find("rules"), true);
  bool subjects = add_missing(current, "subjects", wanted.find("subjects"), false);
  return rules || subjects;
}

}  // namespace troupe::api
