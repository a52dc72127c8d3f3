// The create-only kinds of authentication.k8s.io and authorization.k8s.io: questions that are answered, never stored.
#include "actors/api_server/access/authorizer_state.hpp"
#include "actors/api_server/access/text.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api {

namespace {

constexpr std::string_view authorization_group = "authorization.k8s.io";

std::string_view text_of(const node* at) { return at ? at->string() : std::string_view(); }

const node* present(const node* at) { return at && !at->is_null() ? at : nullptr; }

status_cause invalid_value(std::string_view field, std::string_view value, std::string_view why) {
  return {"FieldValueInvalid", "Invalid value: " + std::string(value) + ": " + std::string(why), std::string(field)};
}

/// What resourceAttributes or nonResourceAttributes ask.
attributes read_attributes(const node& spec) {
  attributes out;
  if (const node* from = present(spec.find("resourceAttributes"))) {
    out.verb = text_of(from->find("verb"));
    out.group = text_of(from->find("group"));
    out.version = text_of(from->find("version"));
    out.resource = text_of(from->find("resource"));
    out.subresource = text_of(from->find("subresource"));
    out.namespace_name = text_of(from->find("namespace"));
    out.name = text_of(from->find("name"));
    return out;
  }
  const node* from = spec.find("nonResourceAttributes");
  out.resource_request = false;
  out.verb = from ? text_of(from->find("verb")) : std::string_view();
  out.path = from ? text_of(from->find("path")) : std::string_view();
  return out;
}

/// The fieldSelector of resourceAttributes as a selector text: rawSelector, or its requirements with one value.
std::string read_field_selector(const node& spec) {
  const node* selector = spec.find("resourceAttributes", "fieldSelector");
  if (!selector) return {};
  if (const node* raw = selector->find("rawSelector")) return std::string(raw->string());
  std::string out;
  const node* requirements = selector->find("requirements");
  for (std::size_t i = 0; requirements && i < requirements->size(); ++i) {
    const node& one = requirements->element(i);
    const node* values = one.find("values");
    if (text_of(one.find("operator")) != "In" || !values || values->size() != 1) continue;
    if (!out.empty()) out += ',';
    out += std::string(text_of(one.find("key"))) + "=" + std::string(values->element(0).string());
  }
  return out;
}

/// Exactly one kind of attributes, as all access reviews demand.
void check_attributes(const node& spec, std::vector<status_cause>& causes) {
  const node* resource = present(spec.find("resourceAttributes"));
  const node* path = present(spec.find("nonResourceAttributes"));
  if (resource && path)
    causes.push_back(invalid_value("spec.nonResourceAttributes", to_json(*path),
                                   "cannot be specified in combination with resourceAttributes"));
  if (!resource && !path)
    causes.push_back(invalid_value("spec.resourceAttributes", "null",
                                   "exactly one of nonResourceAttributes or resourceAttributes must be specified"));
}

/// The user that a SubjectAccessReview's spec names.
user_info read_subject(const node& spec) {
  user_info out;
  out.name = text_of(spec.find("user"));
  out.uid = text_of(spec.find("uid"));
  const node* groups = spec.find("groups");
  for (std::size_t i = 0; groups && i < groups->size(); ++i) out.groups.emplace_back(groups->element(i).string());
  const node* extra = spec.find("extra");
  for (const member* m = extra ? extra->begin_members() : nullptr; extra && m != extra->end_members(); ++m) {
    auto& values = out.extra.emplace_back(m->key, std::vector<std::string>{}).second;
    for (std::size_t i = 0; i < m->value.size(); ++i) values.emplace_back(m->value.element(i).string());
  }
  return out;
}

void set_verdict(document& review, const decision& verdict) {
  node& out = review.set(review.root(), "status");
  review.make_object(out);
  review.set(out, "allowed", verdict.allowed);
  if (verdict.denied) review.set(out, "denied", true);
  if (!verdict.reason.empty()) review.set(out, "reason", std::string_view(verdict.reason));
  if (!verdict.evaluation_error.empty()) review.set(out, "evaluationError", std::string_view(verdict.evaluation_error));
}

void set_user(document& review, node& out, const user_info& user) {
  review.make_object(out);
  if (!user.name.empty()) review.set(out, "username", std::string_view(user.name));
  if (!user.uid.empty()) review.set(out, "uid", std::string_view(user.uid));
  if (!user.groups.empty()) {
    node& groups = review.set(out, "groups");
    review.make_array(groups);
    for (const std::string& group : user.groups) review.assign(review.append(groups), std::string_view(group));
  }
  if (user.extra.empty()) return;
  node& extra = review.set(out, "extra");
  review.make_object(extra);
  for (const auto& [key, values] : user.extra) {
    node& list = review.set(extra, key);
    review.make_array(list);
    for (const std::string& value : values) review.assign(review.append(list), std::string_view(value));
  }
}

status answer_access(authorizer::state& judge, const request_context& context, document& review,
                     std::string_view kind) {
  const node empty;
  const node* found = present(review.root().find("spec"));
  const node& spec = found ? *found : empty;
  bool self = kind == "SelfSubjectAccessReview";
  std::vector<status_cause> causes;
  check_attributes(spec, causes);
  user_info subject = self ? *context.user : read_subject(spec);
  if (!self && subject.name.empty() && subject.groups.empty())
    causes.push_back(invalid_value("spec.user", "\"\"", "at least one of user or group must be specified"));
  if (kind == "LocalSubjectAccessReview") {
    std::string_view space = text_of(spec.find("resourceAttributes", "namespace"));
    if (present(spec.find("resourceAttributes")) && space != context.namespace_name)
      causes.push_back(
          invalid_value("spec.resourceAttributes.namespace", go_quote(space), "must match metadata.namespace"));
    if (const node* path = present(spec.find("nonResourceAttributes")))
      causes.push_back(
          invalid_value("spec.nonResourceAttributes", to_json(*path), "disallowed on this kind of request"));
  }
  if (!causes.empty()) return invalid(authorization_group, kind, {}, std::move(causes));
  attributes what = read_attributes(spec);
  std::string selector = read_field_selector(spec);
  what.field_selector = selector;
  set_verdict(review, judge.judge(subject, what));
  return {};
}

void set_words(document& doc, node& rule, std::string_view field, const std::vector<std::string_view>& listed) {
  if (listed.empty()) return;
  node& list = doc.set(rule, field);
  doc.make_array(list);
  for (std::string_view word : listed) doc.assign(doc.append(list), word);
}

status answer_rules(authorizer::state& judge, const request_context& context, document& review) {
  std::string_view space = text_of(review.root().find("spec", "namespace"));
  if (space.empty()) return bad_request("no namespace on request");
  std::vector<std::string> errors;
  policy_rules rules = judge.rules_for(*context.user, space, errors);
  bool is_node = context.user->name.starts_with("system:node:") && in_group(*context.user, "system:nodes");
  if (is_node) errors.insert(errors.begin(), "node authorizer does not support user rule resolution");

  node& out = review.set(review.root(), "status");
  review.make_object(out);
  review.make_array(review.set(out, "resourceRules"));
  review.make_array(review.set(out, "nonResourceRules"));
  for (const policy_rule& rule : rules) {
    if (rule.resources.empty() && rule.urls.empty()) continue;
    node& entry = review.append(*out.find(rule.resources.empty() ? "nonResourceRules" : "resourceRules"));
    review.make_object(entry);
    set_words(review, entry, "verbs", rule.verbs);
    set_words(review, entry, "apiGroups", rule.groups);
    set_words(review, entry, "resources", rule.resources);
    set_words(review, entry, "resourceNames", rule.names);
    set_words(review, entry, "nonResourceURLs", rule.urls);
  }
  review.set(out, "incomplete", is_node || !errors.empty());
  std::string error = aggregate_text(errors);
  if (!error.empty()) review.set(out, "evaluationError", std::string_view(error));
  return {};
}

status answer_token(document& review) {
  if (text_of(review.root().find("spec", "token")).empty())
    return bad_request("token is required for TokenReview in authentication");
  node& out = review.set(review.root(), "status");
  review.make_object(out);
  review.make_object(review.set(out, "user"));
  review.set(out, "error", "invalid bearer token");  // no issuer of tokens is known yet
  return {};
}

status answer_self(const request_context& context, document& review) {
  node& out = review.set(review.root(), "status");
  review.make_object(out);
  set_user(review, review.set(out, "userInfo"), *context.user);
  return {};
}

}  // namespace

bool is_review(std::uint16_t resource) {
  if (resource == schema::no_index) return false;
  std::string_view group = schema::resources()[resource].group;
  return group == authorization_group || group == authentication_group;
}

status answer_review(authorizer& judge, request_context& context, document& review) {
  std::string_view kind = context.info().kind;
  authorizer::state& state = judge.internals();
  if (kind == "SelfSubjectRulesReview") return answer_rules(state, context, review);
  if (kind == "SelfSubjectReview") return answer_self(context, review);
  if (kind == "TokenReview") return answer_token(review);
  return answer_access(state, context, review, kind);
}

}  // namespace troupe::api
