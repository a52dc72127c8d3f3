// The sources a volume can have, in the order in which Kubernetes looks at them.
#pragma once

#include <span>
#include <string_view>

#include "actors/api_server/validation/pod_rules.hpp"

namespace troupe::api::rules {

struct volume_source_rule {
  std::string_view field;           // in the volume
  std::string_view path;            // under which errors are reported; not always the field's name
  std::string_view duplicate_path;  // for "may not specify more than 1 volume type"
  void (*check)(error_list& errors, const rules::path& at, const node& source, const pod_scope& scope);
};

/// Every source but emptyDir.
extern const std::span<const volume_source_rule> volume_source_rules;

}  // namespace troupe::api::rules
