// Label selectors of the API (metav1.LabelSelector) as controllers use them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "messages/object.hpp"
#include "messages/views/meta_v1.hpp"

namespace troupe::controllers {

/// A compiled selector. An empty one matches everything; one that was never given matches nothing.
class label_matcher {
 public:
  label_matcher() = default;
  explicit label_matcher(const meta_v1::label_selector_view& selector);
  /// From a plain map (Service, ReplicationController). An empty map matches nothing.
  explicit label_matcher(const map_view& labels);

  bool matches(const object& one) const;
  bool matches(const map_view& labels) const;
  /// No requirement at all: matches everything.
  bool empty() const { return valid_ && requirements_.empty(); }

 private:
  enum class relation { in, not_in, exists, absent };
  struct requirement {
    std::string key;
    relation how = relation::in;
    std::vector<std::string> values;
    bool holds(const std::string_view* value) const;
  };
  std::vector<requirement> requirements_;
  bool valid_ = false;
};

}  // namespace troupe::controllers
