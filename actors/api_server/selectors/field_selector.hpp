// Field selectors: "metadata.name=x,status.phase!=Running".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/object.hpp"
#include "messages/status.hpp"

namespace troupe::api {

/// One term; `field` is the canonical path inside the stored object.
struct field_requirement {
  std::string field;
  std::string value;
  bool negated = false;
};

/// All terms must hold; none at all selects everything.
class field_selector {
 public:
  /// Parses the query form and checks that the resource supports the fields. Errors are 400s in Kubernetes' words.
  static result<field_selector> parse(std::string_view text, std::uint16_t resource);

  bool empty() const { return terms_.empty(); }
  bool matches(const object& o) const;
  const std::vector<field_requirement>& terms() const { return terms_; }
  /// The value a field must have, or nullptr where no equality term fixes it.
  const std::string* fixed(std::string_view field) const;

 private:
  std::vector<field_requirement> terms_;
  bool envelope_only_ = true;  // every field is one of the object's envelope
};

}  // namespace troupe::api
