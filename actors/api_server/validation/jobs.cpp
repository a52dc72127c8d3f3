// Jobs and CronJobs.
#include <algorithm>
#include <string>
#include <vector>

#include "actors/api_server/validation/cron_schedule.hpp"
#include "actors/api_server/validation/kinds.hpp"
#include "actors/api_server/validation/metadata.hpp"
#include "actors/api_server/validation/pod_rules.hpp"

namespace troupe::api::rules {
namespace {

void check_indexed(error_list& errors, const path& at, const node* spec) {
  const node *completions = get(spec, "completions"), *failed = get(spec, "maxFailedIndexes");
  const auto parallelism = number(spec, "parallelism");
  if (!completions) errors.required(at.child("completions"), "when completion mode is Indexed");
  if (parallelism > 100000)
    errors.invalid(at.child("parallelism"), parallelism,
                   "must be less than or equal to 100000 when completion mode is Indexed");
  if (completions && failed && failed->integer() > completions->integer())
    errors.invalid(at.child("maxFailedIndexes"), failed->integer(), "must be less than or equal to completions");
  if (failed && failed->integer() > 100000)
    errors.invalid(at.child("maxFailedIndexes"), failed->integer(), "must be less than or equal to 100000");
}

void check_mode(error_list& errors, const path& at, const node* spec) {
  const node* mode = get(spec, "completionMode");
  if (mode && !one_of(mode->string(), {"NonIndexed", "Indexed"}))
    errors.not_supported(at.child("completionMode"), mode->string(), {"NonIndexed", "Indexed"});
  if (mode && mode->string() == "Indexed") return check_indexed(errors, at, spec);
  if (mode && mode->string() != "NonIndexed") return;
  for (std::string_view field : {"backoffLimitPerIndex", "maxFailedIndexes"})
    if (has(spec, field)) errors.invalid(at.child(field), number(spec, field), "requires indexed completion mode");
}

void check_failure_rule(error_list& errors, const path& at, const node& rule, const node* spec) {
  const auto action = text(&rule, "action");
  if (action.empty())
    errors.required(at.child("action"), "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]");
  else if (action == "FailIndex" && !has(spec, "backoffLimitPerIndex"))
    errors.invalid(at.child("action"), action, "requires the backoffLimitPerIndex to be set");
  else if (!one_of(action, {"Count", "FailIndex", "FailJob", "Ignore"}))
    errors.not_supported(at.child("action"), action, {"Count", "FailIndex", "FailJob", "Ignore"});
  const node* codes = get(&rule, "onExitCodes");
  const path place = at.child("onExitCodes");
  if (codes) {
    const auto op = text(codes, "operator");
    if (op.empty())
      errors.required(place.child("operator"), "valid values: [\"In\" \"NotIn\"]");
    else if (!one_of(op, {"In", "NotIn"}))
      errors.not_supported(place.child("operator"), op, {"In", "NotIn"});
    if (count(codes, "values") < 1)
      errors.invalid_json(place.child("values"), has(codes, "values") ? "[]" : "null",
                          "at least one value is required");
  }
  const path list = at.child("onPodConditions");
  each(get(&rule, "onPodConditions"), [&](const node& pattern, std::size_t i) {
    const path here = list.index(i);
    errors.invalid(here.child("type"), text(&pattern, "type"), qualified_name(text(&pattern, "type")));
    const auto value = text(&pattern, "status");
    if (!one_of(value, {"True", "False", "Unknown"}))
      errors.not_supported(here.child("status"), value, {"False", "True", "Unknown"});
  });
  const bool conditions = count(&rule, "onPodConditions") > 0;
  if (codes && conditions) errors.invalid_plain(at, "specifying both OnExitCodes and OnPodConditions is not supported");
  if (!codes && !conditions) errors.invalid_plain(at, "specifying one of OnExitCodes and OnPodConditions is required");
}

void check_failure_policy(error_list& errors, const path& at, const node* spec) {
  const node* policy = get(spec, "podFailurePolicy");
  if (!policy) return;
  const path list = at.child("podFailurePolicy.rules");
  const node* rules = get(policy, "rules");
  if (count(rules) > 20) errors.too_many(list, static_cast<std::int64_t>(count(rules)), 20);
  each(rules, [&](const node& rule, std::size_t i) { check_failure_rule(errors, list.index(i), rule, spec); });
}

void check_replacement(error_list& errors, const path& at, const node* spec) {
  const node* policy = get(spec, "podReplacementPolicy");
  if (!policy) return;
  if (has(spec, "podFailurePolicy")) {
    if (policy->string() != "Failed") errors.not_supported(at, policy->string(), {"Failed"});
  } else if (!one_of(policy->string(), {"Failed", "TerminatingOrFailed"})) {
    errors.not_supported(at, policy->string(), {"Failed", "TerminatingOrFailed"});
  }
}

void check_job_template_spec(error_list& errors, const path& at, const node* spec) {
  check_counts(errors, at, spec,
               {"parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
                "backoffLimitPerIndex", "maxFailedIndexes"});
  if (has(spec, "maxFailedIndexes") && !has(spec, "backoffLimitPerIndex"))
    errors.required(at.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
  check_mode(errors, at, spec);
  check_failure_policy(errors, at, spec);
  check_replacement(errors, at.child("podReplacementPolicy"), spec);
  check_pod_template_spec(errors, at.child("template"), get(spec, "template"));
  const auto policy = text(get(spec, "template", "spec"), "restartPolicy");
  const path restart = at.child("template.spec.restartPolicy");
  if (policy == "Always" || policy.empty())
    errors.required(restart, "valid values: \"OnFailure\", \"Never\"");
  else if (!one_of(policy, {"OnFailure", "Never"}))
    errors.not_supported(restart, policy, {"OnFailure", "Never"});
  else if (has(spec, "podFailurePolicy") && policy != "Never")
    errors.invalid(restart, policy, "only \"Never\" is supported when podFailurePolicy is specified");
}

void check_job_spec(error_list& errors, const path& at, const node* spec) {
  check_job_template_spec(errors, at, spec);
  const node* selector = get(spec, "selector");
  const node* labels = get(spec, "template", "metadata", "labels");
  if (!selector)
    errors.required(at.child("selector"));
  else
    check_label_selector(errors, at.child("selector"), selector);
  if (!selector || !selector_matches(selector, labels))
    errors.invalid(at.child("template.metadata.labels"), labels, "`selector` does not match template `labels`");
}

/// The labels that tie pods to a job whose selector the server made.
void check_generated(error_list& errors, const node& object) {
  const node* spec = get(&object, "spec");
  if (flag(spec, "manualSelector") || !has(spec, "selector")) return;
  const node* metadata = get(&object, "metadata");
  const auto uid = text(metadata, "uid"), name = text(metadata, "name");
  if (uid.empty()) errors.required(path("metadata.uid"));
  const path at("spec.template.metadata.labels");
  const node* labels = get(spec, "template", "metadata", "labels");
  const std::pair<std::string_view, std::string_view> wanted[] = {{"controller-uid", uid},
                                                                  {"job-name", name},
                                                                  {"batch.kubernetes.io/controller-uid", uid},
                                                                  {"batch.kubernetes.io/job-name", name}};
  for (const auto& [key, value] : wanted) {
    const auto detail = "must be '" + std::string(value) + "'";
    const node* found = get(labels, key);
    if (!found)
      errors.required(at.key(key), detail);
    else if (found->string() != value)
      errors.invalid(at.key(key), labels, detail);
  }
}

void spec_job(error_list& errors, const node& object) {
  const node* spec = get(&object, "spec");
  check_generated(errors, object);
  check_job_spec(errors, path("spec"), spec);
  const auto completions = number(spec, "completions");
  if (text(spec, "completionMode") != "Indexed" || completions <= 0) return;
  const auto name = text(get(&object, "metadata"), "name");
  const auto host = std::string(name) + "-" + std::to_string(completions - 1);
  if (!dns1123_label(host).empty())
    errors.invalid(path("metadata.name"), name, "will not able to create pod with invalid DNS label: " + host);
}

/// What a job's template may still change in: nothing, or scheduling directives while it is suspended and unstarted.
void check_template_change(error_list& errors, const node& object, const node& previous) {
  const node *now = get(&object, "spec", "template"), *old = get(&previous, "spec", "template");
  if (same(now, old)) return;
  const bool open = flag(get(&previous, "spec"), "suspend") && !get(&previous, "status", "startTime");
  bool changed = !open;
  const auto compare = [&](std::string_view key, const node&) {
    const bool directive =
        one_of(key, {"nodeSelector", "tolerations", "affinity", "schedulingGates", "containers", "initContainers"});
    if (!directive && !same(get(now, "spec", key), get(old, "spec", key))) changed = true;
  };
  each_member(get(now, "spec"), compare);
  each_member(get(old, "spec"), compare);
  if (changed) errors.invalid(path("spec.template"), now, immutable_message);
}

void update_job(error_list& errors, const node& object, const node& previous) {
  const path at("spec");
  const node *spec = get(&object, "spec"), *old = get(&previous, "spec");
  check_job_spec(errors, at, spec);
  const bool indexed = text(spec, "completionMode") == "Indexed";
  const bool elastic =
      indexed && same(get(spec, "completions"), get(spec, "parallelism")) && number(old, "completions") != 0;
  if (!elastic) check_immutable(errors, at.child("completions"), get(spec, "completions"), get(old, "completions"));
  check_immutable(errors, at.child("selector"), get(spec, "selector"), get(old, "selector"));
  check_template_change(errors, object, previous);
  for (std::string_view field :
       {"completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"})
    check_immutable(errors, at.child(field), get(spec, field), get(old, field));
}

void status_job(error_list& errors, const node& object, const node&) {
  check_counts(errors, path("status"), get(&object, "status"),
               {"active", "succeeded", "failed", "ready", "terminating"});
}

void check_time_zone(error_list& errors, const path& at, const node* zone) {
  if (!zone) return;
  const auto name = zone->string();
  if (name.empty()) return errors.invalid(at, name, "timeZone must be nil or non-empty string");
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower == "local")
    errors.invalid(at, name, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
}

void spec_cron_job(error_list& errors, const node& object) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  const auto schedule = text(spec, "schedule");
  if (schedule.empty()) {
    errors.required(at.child("schedule"));
  } else {
    if (const auto wrong = schedule_error(schedule); !wrong.empty())
      errors.invalid(at.child("schedule"), schedule, wrong);
    if (schedule.find("TZ") != std::string_view::npos)
      errors.invalid(at.child("schedule"), schedule,
                     "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
  }
  check_counts(errors, at, spec, {"startingDeadlineSeconds"});
  check_time_zone(errors, at.child("timeZone"), get(spec, "timeZone"));
  const auto policy = text(spec, "concurrencyPolicy");
  if (policy.empty())
    errors.required(at.child("concurrencyPolicy"));
  else if (!one_of(policy, {"Allow", "Forbid", "Replace"}))
    errors.not_supported(at.child("concurrencyPolicy"), policy, {"Allow", "Forbid", "Replace"});
  const path job = at.child("jobTemplate.spec");
  const node* job_spec = get(spec, "jobTemplate", "spec");
  check_job_template_spec(errors, job, job_spec);
  if (flag(job_spec, "manualSelector")) errors.not_supported(job.child("manualSelector"), "true", {"nil", "false"});
  check_counts(errors, at, spec, {"successfulJobsHistoryLimit", "failedJobsHistoryLimit"});
}

/// Pods' and jobs' names are made of a CronJob's, so it must leave room for a suffix.
void create_cron_job(error_list& errors, const node& object) {
  spec_cron_job(errors, object);
  const auto name = text(get(&object, "metadata"), "name");
  if (name.size() > 52) errors.invalid(path("metadata.name"), name, "must be no more than 52 characters");
}

void update_cron_job(error_list& errors, const node& object, const node&) { spec_cron_job(errors, object); }

}  // namespace

const kind_rules job_kinds[] = {
    {.type = "batch/v1.Job", .spec = spec_job, .update = update_job, .status = status_job, .spec_only_on_create = true},
    {.type = "batch/v1.CronJob", .spec = create_cron_job, .update = update_cron_job, .spec_only_on_create = true},
    {.type = nullptr},
};

}  // namespace troupe::api::rules
