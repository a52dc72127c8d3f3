// Decisions of a delete.
#include "actors/api_server/registry/deletion.hpp"

#include <algorithm>

#include "actors/api_server/registry/body.hpp"
#include "actors/api_server/registry/draft.hpp"
#include "actors/api_server/registry/object_text.hpp"
#include "messages/schema/codec.hpp"
#include "messages/schema/scalars.hpp"

namespace troupe::api {

namespace {

constexpr std::string_view orphan_finalizer = "orphan";
constexpr std::string_view foreground_finalizer = "foregroundDeletion";

bool has_text(const node* list, std::string_view text) {
  for (std::size_t i = 0; list && i < list->size(); ++i)
    if (list->element(i).string() == text) return true;
  return false;
}

/// Brings a finalizer into or out of the list. True when that changed it.
bool set_finalizer(document& doc, std::string_view name, bool wanted) {
  auto& metadata = metadata_of(doc);
  auto* list = metadata.find("finalizers");
  if (has_text(list, name) == wanted) return false;
  if (wanted) {
    doc.assign(doc.append(doc.set(metadata, "finalizers")), name);
    return true;
  }
  for (std::size_t i = list->size(); i-- > 0;)
    if (list->element(i).string() == name) doc.erase(*list, i);
  if (list->empty()) doc.remove(metadata, "finalizers");
  return true;
}

/// Kinds whose dependents are orphaned unless the client says otherwise (old API versions' behaviour).
bool orphans_by_default(const schema::resource& row) {
  return (row.group == "batch" && row.plural == "jobs") ||
         (row.group.empty() && row.plural == "replicationcontrollers");
}

/// The garbage collector's finalizers that the options ask for. True when they changed.
bool apply_propagation(document& doc, const delete_options& options, const schema::resource& row) {
  bool orphan = false;
  bool foreground = false;
  const auto& policy = options.propagation_policy;
  auto* list = metadata_of(doc).find("finalizers");
  if (options.orphan_dependents) {
    orphan = *options.orphan_dependents;
  } else if (!policy.empty()) {
    orphan = policy == "Orphan";
    foreground = policy == "Foreground";
  } else {
    orphan = has_text(list, orphan_finalizer);
    foreground = !orphan && has_text(list, foreground_finalizer);
    if (!orphan && !foreground) orphan = orphans_by_default(row);
  }
  bool first = set_finalizer(doc, orphan_finalizer, orphan);
  bool second = set_finalizer(doc, foreground_finalizer, foreground);
  return first || second;
}

/// Seconds a Pod is given to end: none when it never started or has ended.
std::int64_t pod_grace(const node& pod, const std::optional<std::int64_t>& wanted) {
  auto* own = pod.find("spec", "terminationGracePeriodSeconds");
  std::int64_t period = wanted ? *wanted : own ? own->integer(30) : 30;
  auto* spec = pod.find("spec");
  auto* status = pod.find("status");
  if (!spec || text_at(*spec, "nodeName").empty()) return 0;
  auto phase = status ? text_at(*status, "phase") : std::string_view();
  if (phase == "Failed" || phase == "Succeeded") return 0;
  return period < 0 ? 1 : period;
}

void bump(document& doc) {
  auto& metadata = metadata_of(doc);
  if (auto* generation = metadata.find("generation"); generation && generation->integer() > 0)
    doc.set(metadata, "generation", generation->integer() + 1);
}

status wrong_precondition(const schema::resource& row, const object& current, const delete_options& options) {
  auto refuse = [&](const std::string& why) { return conflict(row.group, row.kind, current.name, why); };
  if (!options.uid.empty() && options.uid != current.uid)
    return refuse("the UID in the precondition (" + options.uid + ") does not match the UID in record (" +
                  std::string(current.uid) + "). The object might have been deleted and then recreated");
  if (!options.resource_version.empty() && options.resource_version != std::to_string(current.revision))
    return refuse("the ResourceVersion in the precondition (" + options.resource_version +
                  ") does not match the ResourceVersion in record (" + std::to_string(current.revision) +
                  "). The object might have been modified");
  return {};
}

}  // namespace

/// One decision of the delete loop. Not anonymous: coroutines hold it.
class delete_decision {
 public:
  delete_decision(request_host& host, const request& incoming, request_context& context, const delete_options& options)
      : host_(host), incoming_(incoming), context_(context), options_(options), row_(storage_row(context)) {}

  result<change_plan> operator()(const object_ptr& current, const request_view& view,
                                 const std::vector<std::string>& taken) {
    if (auto wrong = wrong_precondition(row_, *current, options_); !wrong.ok()) return wrong;
    auto parsed = document::parse(current->json.view());
    if (!parsed) return internal_error(parsed.error().message);
    attempt a{host_, incoming_, context_, view, taken};
    auto more = plan_delete(a, parsed->root());
    if (!more) return more.error();
    gone_ = false;
    auto plan = row_.plural == "namespaces" && row_.group.empty() ? plan_namespace(*parsed) : plan_plain(*parsed);
    if (!plan) return plan;
    if (gone_) {
      plan->what = change_plan::kind::erase;
      plan->writes = std::move(*more);
    } else if (plan->what == change_plan::kind::write) {
      schema::encode(plan->stored, parsed->root(), row_.type);
    }
    if (options_.dry_run) plan->what = change_plan::kind::none;
    return plan;
  }

  bool gone() const { return gone_; }

 private:
  static const schema::resource& storage_row(const request_context& context) {
    return schema::resources()[context.info().storage];
  }

  void mark(document& doc, std::int64_t grace) {
    auto& metadata = metadata_of(doc);
    auto at = time_text(context_.now_ms + grace * 1000);
    doc.set(metadata, "deletionTimestamp", std::string_view(at));
    doc.set(metadata, "deletionGracePeriodSeconds", grace);
  }

  static change_plan write() {
    change_plan plan;
    plan.what = change_plan::kind::write;
    return plan;
  }

  /// A namespace is emptied by its controller first; only a finalized one goes.
  result<change_plan> plan_namespace(document& doc) {
    auto& root = doc.root();
    auto* own = root.find("spec", "finalizers");
    bool finalized = !own || own->empty();
    bool terminating = metadata_of(doc).find("deletionTimestamp") != nullptr;
    if (!terminating) {
      apply_propagation(doc, options_, row_);
      doc.set(metadata_of(doc), "deletionTimestamp", std::string_view(time_text(context_.now_ms)));
      auto& status = doc.set(root, "status");
      doc.set(status, "phase", "Terminating");
    }
    auto* others = metadata_of(doc).find("finalizers");
    if (finalized && (!others || others->empty())) {
      gone_ = true;
      return change_plan{};
    }
    if (!terminating) return write();
    if (!finalized)
      return conflict("", "namespaces", metadata_text(root, "name"),
                      "The system is ensuring all content is removed from this namespace.  Upon completion, this "
                      "namespace will automatically be purged by the system.");
    return change_plan{};
  }

  /// Everything else: a pod's grace period, then finalizers, then it is gone.
  result<change_plan> plan_plain(document& doc) {
    auto& metadata = metadata_of(doc);
    bool pod = row_.plural == "pods" && row_.group.empty();
    bool terminating = metadata.find("deletionTimestamp") != nullptr;
    bool changed = apply_propagation(doc, options_, row_);
    if (pod && terminating) return plan_terminating_pod(doc, changed);
    auto grace = pod ? pod_grace(doc.root(), options_.grace_period_seconds) : 0;
    if (grace > 0) {
      mark(doc, grace);
      bump(doc);
      return write();
    }
    auto* finalizers = metadata.find("finalizers");
    if (!finalizers || finalizers->empty()) {
      gone_ = true;
      return change_plan{};
    }
    if (!terminating) {
      mark(doc, 0);
      bump(doc);
      changed = true;
    }
    return changed ? write() : change_plan{};
  }

  /// A running grace period can only be made shorter; at zero the pod goes.
  result<change_plan> plan_terminating_pod(document& doc, bool changed) {
    auto& metadata = metadata_of(doc);
    auto* running = metadata.find("deletionGracePeriodSeconds");
    auto have = running ? running->integer() : 0;
    auto* finalizers = metadata.find("finalizers");
    bool held = finalizers && !finalizers->empty();
    auto wanted = options_.grace_period_seconds ? pod_grace(doc.root(), options_.grace_period_seconds) : have;
    if (have == 0 || wanted == 0) {
      if (!held) {
        gone_ = true;
        return change_plan{};
      }
      if (have == 0) return changed ? write() : change_plan{};
    }
    if (wanted >= have) return changed ? write() : change_plan{};
    auto begun = schema::time_ms(text_at(metadata, "deletionTimestamp")).value_or(0) - have * 1000;
    auto at = time_text(begun + wanted * 1000);
    doc.set(metadata, "deletionTimestamp", std::string_view(at));
    doc.set(metadata, "deletionGracePeriodSeconds", wanted);
    return write();
  }

  request_host& host_;
  const request& incoming_;
  request_context& context_;
  const delete_options& options_;
  const schema::resource& row_;
  bool gone_ = false;
};

namespace {

status check_options(const delete_options& o) {
  auto refuse = [](std::string why, std::string message, std::string field) {
    return invalid("meta.k8s.io", "DeleteOptions", "", {{std::move(why), std::move(message), std::move(field)}});
  };
  const auto& policy = o.propagation_policy;
  if (!policy.empty() && o.orphan_dependents)
    return refuse("FieldValueInvalid",
                  "Invalid value: \"" + policy + "\": orphanDependents and deletionPropagation cannot be both set",
                  "propagationPolicy");
  if (!policy.empty() && policy != "Foreground" && policy != "Background" && policy != "Orphan")
    return refuse(
        "FieldValueNotSupported",
        "Unsupported value: \"" + policy + "\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
        "propagationPolicy");
  return {};
}

}  // namespace

delete_options delete_options_from(const node* from) {
  delete_options out;
  if (!from) return out;
  if (auto* grace = from->find("gracePeriodSeconds"); grace && grace->is_integer())
    out.grace_period_seconds = grace->integer();
  if (auto* orphan = from->find("orphanDependents"); orphan && orphan->is_boolean())
    out.orphan_dependents = orphan->boolean();
  out.propagation_policy = text_at(*from, "propagationPolicy");
  if (auto* preconditions = from->find("preconditions")) {
    out.uid = text_at(*preconditions, "uid");
    out.resource_version = text_at(*preconditions, "resourceVersion");
  }
  auto* dry = from->find("dryRun");
  for (std::size_t i = 0; dry && i < dry->size(); ++i) out.dry_run = out.dry_run || dry->element(i).string() == "All";
  return out;
}

result<delete_options> read_delete_options(const request& incoming, const request_context& context) {
  delete_options out;
  if (!incoming.body.empty()) {
    auto parsed = parse_body(incoming, "DeleteOptions", schema::find_type("meta/v1.DeleteOptions"));
    if (!parsed) return parsed.error();
    auto type = schema::find_type("meta/v1.DeleteOptions");
    schema::conform_report ignored;
    if (type != schema::no_index)
      if (auto wrong = schema::conform(*parsed, parsed->root(), type, ignored); !wrong.ok()) return wrong;
    out = delete_options_from(&parsed->root());
    out.dry_run = out.dry_run || context.options.dry_run;
  } else {
    const auto& o = context.options;
    out.grace_period_seconds = o.grace_period_seconds;
    out.orphan_dependents = o.orphan_dependents;
    out.propagation_policy = o.propagation_policy;
    out.dry_run = o.dry_run;
  }
  if (auto wrong = check_options(out); !wrong.ok()) return wrong;
  return out;
}

task<result<deleted_object>> delete_one(request_host& host, const request& incoming, request_context& context,
                                        const std::string& namespace_name, const std::string& name,
                                        const delete_options& options) {
  delete_decision decision(host, incoming, context, options);
  object_place where{context.info().storage, namespace_name, name};
  change_rules rules{false, context.group, context.plural()};
  change_decision decide = std::ref(decision);
  auto changing = change_object(host, where, rules, decide);
  result<changed_object> done = co_await changing;
  if (!done) co_return done.error();
  deleted_object out;
  out.gone = decision.gone();
  out.shown = done->now ? done->now : done->before;
  // Who has heard that a namespace ends cannot create in it any more: admission judges by the snapshot. (Upstream looks
  // such namespaces up in the store for a while: k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle.)
  if (done->now && done->written && context.group.empty() && context.plural() == "namespaces") {
    auto seen = host.at_least(where.resource, done->now->revision);
    (void)co_await seen;
  }
  co_return std::move(out);
}

}  // namespace troupe::api
