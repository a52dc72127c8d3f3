#include "actors/controller_manager/common/selector.hpp"

#include <algorithm>

namespace troupe::controllers {

label_matcher::label_matcher(const meta_v1::label_selector_view& selector) : valid_(static_cast<bool>(selector)) {
  for (auto [key, value] : selector.match_labels())
    requirements_.push_back({std::string(key), relation::in, {std::string(value)}});
  for (auto one : selector.match_expressions()) {
    requirement added{std::string(one.key()), relation::in, {}};
    auto name = one.operator_();
    if (name == "NotIn")
      added.how = relation::not_in;
    else if (name == "Exists")
      added.how = relation::exists;
    else if (name == "DoesNotExist")
      added.how = relation::absent;
    else if (name != "In")
      valid_ = false;
    for (auto value : one.values()) added.values.emplace_back(value);
    requirements_.push_back(std::move(added));
  }
}

label_matcher::label_matcher(const map_view& labels) : valid_(!labels.empty()) {
  for (auto [key, value] : labels) requirements_.push_back({std::string(key), relation::in, {std::string(value)}});
}

bool label_matcher::requirement::holds(const std::string_view* value) const {
  auto among = [&] { return std::find(values.begin(), values.end(), *value) != values.end(); };
  switch (how) {
    case relation::in:
      return value && among();
    case relation::not_in:
      return !value || !among();
    case relation::exists:
      return value != nullptr;
    case relation::absent:
      return value == nullptr;
  }
  return false;
}

bool label_matcher::matches(const object& one) const {
  return valid_ && std::all_of(requirements_.begin(), requirements_.end(),
                               [&](const requirement& r) { return r.holds(one.label(r.key)); });
}

bool label_matcher::matches(const map_view& labels) const {
  return valid_ && std::all_of(requirements_.begin(), requirements_.end(), [&](const requirement& r) {
           auto found = labels.find(r.key);
           return r.holds(found ? &*found : nullptr);
         });
}

}  // namespace troupe::controllers
