// Null-safe reads of document trees for validation, defaults and strategies.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "messages/document.hpp"

namespace troupe::api::rules {

/// The member that is there and not null, else nullptr; also for a null parent.
inline const node* get(const node* parent, std::string_view key) {
  const node* found = parent ? parent->find(key) : nullptr;
  return found && !found->is_null() ? found : nullptr;
}
template <class... More>
const node* get(const node* parent, std::string_view key, std::string_view next, More... more) {
  return get(get(parent, key), next, more...);
}
inline bool has(const node* parent, std::string_view key) { return get(parent, key) != nullptr; }

/// The string, or "" where it is absent: what Go's zero value says.
inline std::string_view text(const node* parent, std::string_view key) {
  const node* found = get(parent, key);
  return found ? found->string() : std::string_view();
}
inline std::string_view text(const node* value) { return value ? value->string() : std::string_view(); }
inline std::int64_t number(const node* parent, std::string_view key, std::int64_t fallback = 0) {
  const node* found = get(parent, key);
  return found ? found->integer(fallback) : fallback;
}
inline bool flag(const node* parent, std::string_view key, bool fallback = false) {
  const node* found = get(parent, key);
  return found ? found->boolean(fallback) : fallback;
}
/// Elements of a list or members of a map; 0 where it is absent.
inline std::size_t count(const node* value) { return value ? value->size() : 0; }
inline std::size_t count(const node* parent, std::string_view key) { return count(get(parent, key)); }

/// f(element, index) for every element; nothing for a null or other value.
template <class F>
void each(const node* list, F&& f) {
  if (!list || !list->is_array()) return;
  for (std::size_t i = 0; i < list->size(); ++i) f(list->element(i), i);
}
/// f(key, value) for every member.
template <class F>
void each_member(const node* map, F&& f) {
  if (!map || !map->is_object()) return;
  for (auto m = map->begin_members(); m != map->end_members(); ++m) f(m->key, m->value);
}
/// Whether a list of strings holds the text.
inline bool holds(const node* list, std::string_view wanted) {
  bool found = false;
  each(list, [&](const node& e, std::size_t) { found = found || e.string() == wanted; });
  return found;
}
/// Deep equality where absent equals absent and, as Go's semantic comparison has it, empty collections.
inline bool same(const node* a, const node* b) {
  const bool none_a = !a || a->is_null() || ((a->is_array() || a->is_object()) && a->empty());
  const bool none_b = !b || b->is_null() || ((b->is_array() || b->is_object()) && b->empty());
  if (none_a || none_b) return none_a == none_b;
  return equal(*a, *b);
}

inline bool one_of(std::string_view value, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), value) != list.end();
}
inline bool one_of(std::string_view value, std::initializer_list<std::string_view> list) {
  return one_of(value, std::span(list.begin(), list.size()));
}
/// A scalar as errors name it: a string bare, everything else as JSON.
inline std::string shown(const node& value) { return value.is_string() ? std::string(value.string()) : to_json(value); }

}  // namespace troupe::api::rules
