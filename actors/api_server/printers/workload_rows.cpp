// Rows of the kinds that run pods: jobs, and the simple ones of the apps group in one place.
#include "actors/api_server/printers/rows.hpp"

namespace troupe::api {
inline namespace printing_detail {

namespace {

std::string job_completions(const node& job) {
  std::string done = std::to_string(number_at(job, "status", "succeeded"));
  if (is_set(job.find("spec", "completions")))
    return done + "/" + std::to_string(number_at(job, "spec", "completions"));
  std::int64_t parallel = number_at(job, "spec", "parallelism");
  return parallel > 1 ? done + "/1 of " + std::to_string(parallel) : done + "/1";
}

std::string job_duration(const table_row& out, const node& job) {
  const auto begin = schema::time_ms(text_at(job, "status", "startTime"));
  const auto end = schema::time_ms(text_at(job, "status", "completionTime"));
  return begin ? human_duration(end.value_or(out.now_ms()) - *begin) : std::string();
}

std::string_view job_status(const node& job) {
  if (has_condition(job, "Complete")) return "Complete";
  if (has_condition(job, "Failed")) return "Failed";
  if (is_set(job.find("metadata", "deletionTimestamp"))) return "Terminating";
  for (std::string_view type : {"Suspended", "FailureTarget", "SuccessCriteriaMet"})
    if (has_condition(job, type)) return type;
  return "Running";
}

}  // namespace

void print_job(table_row& out, const node& job) {
  out.name_of(job).text(job_status(job)).text(job_completions(job)).text(job_duration(out, job)).age_of(job);
  container_cells(out, job.find("spec", "template", "spec", "containers"));
  out.text(selector_text(job.find("spec", "selector")));
}

}  // namespace printing_detail
}  // namespace troupe::api
