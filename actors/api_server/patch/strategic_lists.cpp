// Order and look-up in merged lists.
#include "actors/api_server/patch/strategic_lists.hpp"

#include <algorithm>

namespace troupe::api::rules {
namespace {

void sort_by(elements& list, const elements& order, std::string_view key) {
  std::stable_sort(list.begin(), list.end(), [&](const node& a, const node& b) {
    const auto at_a = position(order, a, key), at_b = position(order, b, key);
    return at_a >= 0 && at_b >= 0 && at_a < at_b;
  });
}

}  // namespace

elements elements_of(const node* list) {
  elements out;
  if (!list || !list->is_array()) return out;
  out.assign(list->begin_elements(), list->end_elements());
  return out;
}

std::ptrdiff_t find_by_key(const elements& list, std::string_view key, const node& value) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const node* found = list[i].find(key);
    if (found && equal(*found, value)) return static_cast<std::ptrdiff_t>(i);
  }
  return -1;
}

std::ptrdiff_t position(const elements& list, const node& wanted, std::string_view key) {
  if (wanted.is_object() && !key.empty()) {
    const node* value = wanted.find(key);
    return value ? find_by_key(list, key, *value) : -1;
  }
  for (std::size_t i = 0; i < list.size(); ++i)
    if (equal(list[i], wanted)) return static_cast<std::ptrdiff_t>(i);
  return -1;
}

elements ordered(const elements& merged, const elements& patch_order, const elements& server_order,
                 std::string_view key) {
  elements patch, server;
  for (const node& item : merged) (position(patch_order, item, key) >= 0 ? patch : server).push_back(item);
  sort_by(patch, patch_order, key);
  sort_by(server, server_order, key);
  elements out;
  std::size_t s = 0, p = 0;
  while (s < server.size() || p < patch.size()) {
    bool take_server = p >= patch.size();
    if (!take_server && s < server.size()) {
      const auto at_s = position(server_order, server[s], key), at_p = position(server_order, patch[p], key);
      take_server = at_s >= 0 && at_p >= 0 && at_s < at_p;
    }
    out.push_back(take_server ? server[s++] : patch[p++]);
  }
  return out;
}

std::string missing_key(const elements& list, std::string_view key) {
  for (const node& item : list)
    if (!item.find(key)) return "map: " + go_print(item) + " does not contain declared merge key: " + std::string(key);
  return {};
}

std::string go_print(const node& value) {
  if (value.is_string()) return std::string(value.string());
  if (value.is_null()) return "<nil>";
  if (value.is_array()) return go_print(elements_of(&value));
  if (!value.is_object()) return to_json(value);
  std::vector<const member*> members;
  for (auto m = value.begin_members(); m != value.end_members(); ++m) members.push_back(m);
  std::sort(members.begin(), members.end(), [](auto a, auto b) { return a->key < b->key; });
  std::string out = "map[";
  for (auto m : members) {
    if (out.size() > 4) out.push_back(' ');
    out.append(m->key).append(":").append(go_print(m->value));
  }
  return out.append("]");
}

std::string go_print(const elements& list) {
  std::string out = "[";
  for (const node& item : list) {
    if (out.size() > 1) out.push_back(' ');
    out.append(go_print(item));
  }
  return out.append("]");
}

}  // namespace troupe::api::rules
