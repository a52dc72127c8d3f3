// What row functions write and how they read objects: cells, ages, lists, selectors, as Kubernetes prints them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/document.hpp"
#include "messages/schema/scalars.hpp"

namespace troupe::api {
inline namespace printing_detail {

/// The cells of one row, appended as JSON.
class table_row {
 public:
  table_row(std::string& out, std::int64_t now_ms) : now_ms_(now_ms), out_(out) {}

  table_row& text(std::string_view cell);
  table_row& number(std::int64_t cell);
  table_row& flag(bool cell);
  table_row& null();
  /// "5m" since an RFC 3339 time; "<unknown>" where there is none.
  table_row& age(const node* since);
  table_row& age_of(const node& object) { return age(object.find("metadata", "creationTimestamp")); }
  table_row& name_of(const node& object);

  std::size_t count() const { return count_; }
  std::int64_t now_ms() const { return now_ms_; }
  /// "5m" since the time, without adding a cell.
  std::string since(const node* time) const;

 private:
  void separate();

  std::int64_t now_ms_;
  std::string& out_;
  std::size_t count_ = 0;
};

/// 90s -> "90s", 150 min -> "150m", 26 h -> "26h": the rough durations of kubectl's AGE.
std::string human_duration(std::int64_t milliseconds);

/// The node's text; "" for null pointers and other types.
std::string_view text_at(const node* at);
template <class... Keys>
std::string_view text_at(const node& from, Keys... keys) {
  return text_at(from.find(keys...));
}
template <class... Keys>
std::int64_t number_at(const node& from, Keys... keys) {
  const node* found = from.find(keys...);
  return found ? found->integer() : 0;
}
template <class... Keys>
std::size_t size_at(const node& from, Keys... keys) {
  const node* found = from.find(keys...);
  return found ? found->size() : 0;
}
/// Present and not null.
bool is_set(const node* at);
/// An int-or-string, quantity, number or bool as text.
std::string scalar_text(const node* at);

inline std::string_view or_else(std::string_view text, std::string_view fallback) {
  return text.empty() ? fallback : text;
}

/// The elements of a list; nothing for a null pointer or another type. For range-for.
struct elements_of {
  explicit elements_of(const node* list) : list_(list && list->is_array() ? list : nullptr) {}
  const node* begin() const { return list_ ? list_->begin_elements() : nullptr; }
  const node* end() const { return list_ ? list_->end_elements() : nullptr; }

 private:
  const node* list_;
};
/// The members of an object, likewise.
struct members_of {
  explicit members_of(const node* object) : object_(object && object->is_object() ? object : nullptr) {}
  const member* begin() const { return object_ ? object_->begin_members() : nullptr; }
  const member* end() const { return object_ ? object_->end_members() : nullptr; }

 private:
  const node* object_;
};

std::string join(const std::vector<std::string>& parts, std::string_view separator);
/// The first `most` parts joined by commas, then " + N more...".
std::string join_some(const std::vector<std::string>& parts, std::size_t most = 3);

/// A map as "a=b,c=d" sorted by key; "<none>" when empty.
std::string labels_text(const node* labels);
/// A LabelSelector as "a=b,c in (d,e),!f"; `empty` for one without requirements.
std::string selector_text(const node* selector, std::string_view empty = "<none>");
/// Whether status.conditions has the type with status True.
bool has_condition(const node& object, std::string_view type);

/// Adds two cells, the names and the images of a pod template's containers.
void container_cells(table_row& out, const node* containers);

}  // namespace printing_detail
}  // namespace troupe::api
