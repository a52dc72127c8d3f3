// Sets of field paths.
#include "actors/api_server/registry/field_set.hpp"

#include <algorithm>
#include <utility>

namespace troupe::api {

namespace {

/// Fields before keys before values before indexes, each in order.
int rank(std::string_view key) {
  switch (key.front()) {
    case 'f':
      return 0;
    case 'k':
      return 1;
    case 'v':
      return 2;
    default:
      return 3;
  }
}

bool element_less(std::string_view a, std::string_view b) {
  auto x = rank(a);
  auto y = rank(b);
  return x != y ? x < y : a < b;
}

void drop_empty(field_set& set) {
  std::erase_if(set.children, [](const auto& c) { return c.below.empty(); });
}

}  // namespace

field_set& field_set::child(std::string_view key) {
  for (auto& [name, set] : children)
    if (name == key) return set;
  return append(key, {});
}

field_set& field_set::append(std::string_view key, field_set below) {
  if (children.empty()) children.reserve(8);  // most have a few: one allocation instead of four
  return children.emplace_back(key, std::move(below)).below;
}

const field_set* field_set::find(std::string_view key) const {
  for (auto& [name, set] : children)
    if (name == key) return &set;
  return nullptr;
}

void field_set::add(const field_set& other) {
  self = self || other.self;
  for (auto& [key, set] : other.children) child(key).add(set);
}

void field_set::subtract(const field_set& other) {
  if (other.self) self = false;
  for (auto& [key, set] : children)
    if (auto* less = other.find(key)) set.subtract(*less);
  drop_empty(*this);
}

node to_fields_v1(document& doc, const field_set& set) {
  node out;
  doc.make_object(out);
  if (set.children.empty()) return out;
  if (set.self) doc.make_object(doc.set(out, "."));
  std::vector<const field_set::child_set*> sorted;
  sorted.reserve(set.children.size());
  for (auto& c : set.children) sorted.push_back(&c);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return element_less(a->key, b->key); });
  for (auto* c : sorted) doc.set(out, c->key, to_fields_v1(doc, c->below));
  return out;
}

field_set from_fields_v1(const node& fields) {
  field_set out;
  if (fields.empty()) {
    out.self = true;
    return out;
  }
  out.children.reserve(fields.size());
  for (auto* m = fields.begin_members(); m != fields.end_members(); ++m) {
    if (m->key == ".")
      out.self = true;
    else if (m->key.size() > 2)
      out.children.emplace_back(m->key, from_fields_v1(m->value));
  }
  return out;
}

}  // namespace troupe::api
