// What changed between two objects, path by path.
#include <algorithm>
#include <string>

#include "actors/api_server/registry/field_set.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api {

namespace {

using schema::list_type;
using schema::shape;
using schema::value_kind;

/// How a value is divided into paths.
enum class division : std::uint8_t { none, structure, map, set, keyed_list };

division division_of(const schema::field& f) {
  bool is_structure = f.kind == value_kind::structure && f.type != schema::no_index;
  if (f.form == shape::single) return is_structure && !f.atomic_map ? division::structure : division::none;
  if (f.form == shape::map) return f.atomic_map ? division::none : division::map;
  if (f.list == list_type::set) return division::set;
  if (f.list == list_type::map && is_structure) return division::keyed_list;
  return division::none;
}

class comparison {
 public:
  explicit comparison(arena& memory) : memory_(memory) {}

  void members(const node* before, const node* now, std::uint16_t type, field_difference& into, bool in_metadata) {
    const auto& t = schema::types()[type];
    auto visit = [&](std::string_view key, const node* a, const node* b) {
      if (in_metadata && is_system(key)) return;
      auto* f = t.find(key);
      if (!f) return;
      value(a, b, *f, field_key(key), into);
    };
    each(before, now, visit);
  }

  void value(const node* before, const node* now, const schema::field& f, std::string_view key,
             field_difference& into) {
    auto how = division_of(f);
    bool nothing = (!before || before->empty()) && (!now || now->empty());
    if (how == division::none || nothing) return leaf(before, now, key, into);
    field_difference below;
    switch (how) {
      case division::structure:
        members(before, now, f.type, below, false);
        break;
      case division::map:
        map_members(before, now, f, below);
        break;
      case division::set:
        set_items(before, now, below);
        break;
      default:
        keyed_items(before, now, f, below);
    }
    attach(before, now, key, std::move(below), into);
  }

 private:
  static bool is_system(std::string_view key) {
    constexpr std::string_view names[] = {"name", "namespace",  "creationTimestamp", "selfLink",
                                          "uid",  "generation", "managedFields",     "resourceVersion"};
    return std::find(std::begin(names), std::end(names), key) != std::end(names);
  }

  /// Calls f(key, before, now) for each member of either.
  template <class F>
  static void each(const node* before, const node* now, F&& f) {
    if (now)
      for (auto* m = now->begin_members(); m != now->end_members(); ++m)
        f(m->key, before ? before->find(m->key) : nullptr, &m->value);
    if (before)
      for (auto* m = before->begin_members(); m != before->end_members(); ++m)
        if (!now || !now->find(m->key)) f(m->key, &m->value, nullptr);
  }

  std::string_view field_key(std::string_view name) {
    scratch_.assign("f:").append(name);
    return memory_.copy(scratch_);
  }

  static void leaf(const node* before, const node* now, std::string_view key, field_difference& into) {
    if (!before && !now) return;
    if (!now)
      into.removed.child(key).self = true;
    else if (!before || !equal(*before, *now))
      into.changed.child(key).self = true;
  }

  static void attach(const node* before, const node* now, std::string_view key, field_difference below,
                     field_difference& into) {
    if (!before) below.changed.self = true;
    if (!now) below.removed.self = true;
    if (!below.changed.empty()) into.changed.append(key, std::move(below.changed));
    if (!below.removed.empty()) into.removed.append(key, std::move(below.removed));
  }

  void map_members(const node* before, const node* now, const schema::field& f, field_difference& into) {
    bool structures = f.kind == value_kind::structure && f.type != schema::no_index;
    each(before, now, [&](std::string_view name, const node* a, const node* b) {
      auto key = field_key(name);
      if (!structures) return leaf(a, b, key, into);
      field_difference below;
      members(a, b, f.type, below, false);
      attach(a, b, key, std::move(below), into);
    });
  }

  void set_items(const node* before, const node* now, field_difference& into) {
    auto collect = [&](const node* list) {
      std::vector<std::string_view> out;
      for (std::size_t i = 0; list && i < list->size(); ++i) {
        scratch_.assign("v:");
        append_json(scratch_, list->element(i));
        out.push_back(memory_.copy(scratch_));
      }
      std::sort(out.begin(), out.end());
      return out;
    };
    auto old_items = collect(before);
    auto new_items = collect(now);
    for (auto item : new_items)
      if (!std::binary_search(old_items.begin(), old_items.end(), item)) into.changed.child(item).self = true;
    for (auto item : old_items)
      if (!std::binary_search(new_items.begin(), new_items.end(), item)) into.removed.child(item).self = true;
  }

  std::string_view item_key(const node& item, const schema::field& f) {
    std::vector<std::string_view> names(f.list_map_keys.begin(), f.list_map_keys.end());
    std::sort(names.begin(), names.end());
    scratch_.assign("k:{");
    bool first = true;
    for (auto name : names) {
      auto* v = item.find(name);
      auto* own = schema::types()[f.type].find(name);
      if (!v && (!own || own->default_json.empty())) continue;
      if (!first) scratch_ += ',';
      first = false;
      append_json_string(scratch_, name);
      scratch_ += ':';
      if (v)
        append_json(scratch_, *v);
      else
        scratch_ += own->default_json;
    }
    scratch_ += '}';
    return memory_.copy(scratch_);
  }

  void keyed_items(const node* before, const node* now, const schema::field& f, field_difference& into) {
    using keyed = std::pair<std::string_view, const node*>;
    auto collect = [&](const node* list) {
      std::vector<keyed> out;
      for (std::size_t i = 0; list && i < list->size(); ++i)
        out.emplace_back(item_key(list->element(i), f), &list->element(i));
      std::stable_sort(out.begin(), out.end(), [](const keyed& a, const keyed& b) { return a.first < b.first; });
      return out;
    };
    auto old_items = collect(before);
    auto new_items = collect(now);
    auto find = [](const std::vector<keyed>& in, std::string_view key) -> const node* {
      auto at =
          std::lower_bound(in.begin(), in.end(), key, [](const keyed& a, std::string_view b) { return a.first < b; });
      return at != in.end() && at->first == key ? at->second : nullptr;
    };
    auto item = [&](std::string_view key, const node* a, const node* b) {
      field_difference below;
      members(a, b, f.type, below, false);
      attach(a, b, key, std::move(below), into);
    };
    for (auto& [key, b] : new_items) item(key, find(old_items, key), b);
    for (auto& [key, a] : old_items)
      if (!find(new_items, key)) item(key, a, nullptr);
  }

  arena& memory_;
  std::string scratch_;
};

}  // namespace

field_difference compare_fields(const node& before, const node& now, std::uint16_t type, arena& memory) {
  field_difference out;
  comparison walk(memory);
  const auto& t = schema::types()[type];
  auto top = [&](std::string_view name, const node* a, const node* b) {
    if (name == "kind" || name == "apiVersion") return;
    auto* f = t.find(name);
    if (!f) return;
    std::string key = "f:" + std::string(name);
    auto kept = memory.copy(key);
    if (name != "metadata") return walk.value(a, b, *f, kept, out);
    field_difference below;
    walk.members(a, b, f->type, below, true);
    if (!below.changed.empty()) out.changed.append(kept, std::move(below.changed));
    if (!below.removed.empty()) out.removed.append(kept, std::move(below.removed));
  };
  for (auto* m = now.begin_members(); m != now.end_members(); ++m) top(m->key, before.find(m->key), &m->value);
  for (auto* m = before.begin_members(); m != before.end_members(); ++m)
    if (!now.find(m->key)) top(m->key, &m->value, nullptr);
  return out;
}

}  // namespace troupe::api
