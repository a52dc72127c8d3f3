// The rules of each kind behind one table.
#pragma once

#include <cstdint>
#include <string_view>

#include "actors/api_server/validation/access.hpp"
#include "actors/api_server/validation/field_errors.hpp"
#include "actors/api_server/validation/metadata.hpp"
#include "actors/api_server/validation/names.hpp"
#include "messages/document.hpp"

namespace troupe::api::rules {

/// Validation of one kind. A null function means that only metadata is checked. `update` is also given updates of
/// subresources; it checks metadata itself unless `generic_update`.
struct kind_rules {
  const char* type;  // "core/v1.ConfigMap"
  name_check name = name_is_subdomain;
  bool core_finalizers = true;
  /// Everything but metadata.
  void (*spec)(error_list& errors, const node& object) = nullptr;
  /// What an update adds to metadata's and `spec`'s checks.
  void (*update)(error_list& errors, const node& object, const node& previous) = nullptr;
  /// A status update, beyond metadata.
  void (*status)(error_list& errors, const node& object, const node& previous) = nullptr;
  /// Updates do not repeat `spec`.
  bool spec_only_on_create = false;
};

// One list per file, ended by a null type.
extern const kind_rules core_kinds[];
extern const kind_rules service_kinds[];
extern const kind_rules workload_kinds[];
extern const kind_rules job_kinds[];
extern const kind_rules access_kinds[];
extern const kind_rules storage_kinds[];
extern const kind_rules policy_kinds[];
extern const kind_rules network_kinds[];
extern const kind_rules certificate_kinds[];

/// The row of a type, or null.
const kind_rules* find_kind_rules(std::uint16_t type);

/// Everything wrong with a new object of the type.
error_list validate_new(std::uint16_t type, bool namespaced, const node& object);
/// Everything wrong with a changed one; subresource "" or "status", "ephemeralcontainers", "finalize", ...
error_list validate_changed(std::uint16_t type, bool namespaced, std::string_view subresource, const node& previous,
                            const node& object);

/// Values of closed enums and required strings by the schema, for kinds without rules of their own.
void check_by_schema(error_list& errors, std::uint16_t type, const node& object);

/// selector and template of a workload: selector present, not empty, matching; the template by `check_template`.
struct workload_words {
  const char* kind;         // "deployment", in "empty selector is invalid for ..."
  const char* no_deadline;  // "activeDeadlineSeconds in ReplicaSet is not Supported"
};
void check_selector_and_template(error_list& errors, const path& spec_path, const node* spec,
                                 const workload_words& words);
/// An int or percentage, not negative.
void check_int_or_percent(error_list& errors, const path& at, const node* value);

}  // namespace troupe::api::rules
