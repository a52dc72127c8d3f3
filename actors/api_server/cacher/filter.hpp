// What a list or watch selects.
#pragma once

#include <cstdint>
#include <string>

#include "actors/api_server/selectors/field_selector.hpp"
#include "actors/api_server/selectors/label_selector.hpp"
#include "messages/object.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api {

/// Scope and selectors of a list or watch.
struct watch_filter {
  std::string namespace_name;  // empty: all
  label_selector labels;
  field_selector fields;
  /// The watch's resource where that is another version of the cached objects; else no_index.
  std::uint16_t convert_to = schema::no_index;
  std::string key;  // equal for filters that select the same: namespace and selectors as text

  /// Whether the object is selected.
  bool matches(const object& o) const {
    return (namespace_name.empty() || o.namespace_name == namespace_name) && labels.matches(o) && fields.matches(o);
  }
  /// Selects everything.
  bool everything() const { return namespace_name.empty() && labels.empty() && fields.empty(); }
};

}  // namespace troupe::api
