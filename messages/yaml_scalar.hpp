// What a plain YAML scalar means to Kubernetes: YAML 1.1 as go-yaml v2 (behind sigs.k8s.io/yaml) resolves it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::yaml {

enum class scalar_kind : std::uint8_t { string, null, boolean, integer, big_integer, real, timestamp };

struct scalar {
  scalar_kind kind = scalar_kind::string;
  bool flag = false;
  std::int64_t integer = 0;
  std::uint64_t big = 0;  // an integer above int64
  double real = 0;
};

/// Resolves a plain scalar. A timestamp reads as a string but must be quoted when it is written.
scalar resolve(std::string_view text);

/// Whether YAML 1.1 reads the text as a sexagesimal number ("1:30"), so that it must be quoted.
bool is_base60(std::string_view text);

}  // namespace troupe::yaml
