// Label selectors of list, watch and deletecollection: "a=b,c in (d,e),!f".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/document.hpp"
#include "messages/object.hpp"
#include "messages/status.hpp"

namespace troupe::api {

/// One requirement of a label selector.
struct label_requirement {
  enum class relation : std::uint8_t { in, not_in, exists, does_not_exist, greater, less };
  std::string key;
  relation how = relation::in;
  std::vector<std::string> values;  // sorted; one integer for greater and less

  /// Whether a label's value (null: the label is absent) satisfies it.
  bool matches(const std::string_view* value) const;
};

/// All requirements must hold; none at all selects everything.
class label_selector {
 public:
  /// Parses the query form. Errors are 400s in Kubernetes' words ("unable to parse requirement: ...").
  static result<label_selector> parse(std::string_view text);
  /// From a metav1.LabelSelector; an absent or empty one selects everything.
  static label_selector from(const node* selector);

  bool empty() const { return requirements_.empty(); }
  bool matches(const object& o) const;
  const std::vector<label_requirement>& requirements() const { return requirements_; }

 private:
  std::vector<label_requirement> requirements_;
};

}  // namespace troupe::api
