// Strategic merge patch: a recursive merge that knows from the schema which lists merge and by which key.
//
// A map of the patch is taken in this order: its own $patch directive, $retainKeys, lists with $setElementOrder, then
// every other member. Errors are thrown inside this file as `patch_error` and leave it as a status.
#include <algorithm>
#include <string>

#include "actors/api_server/patch/patch.hpp"
#include "actors/api_server/patch/strategic_lists.hpp"
#include "actors/api_server/patch/strategic_schema.hpp"

namespace troupe::api::rules {
namespace {

constexpr std::string_view retain_keys = "$retainKeys";
constexpr std::string_view delete_from_list = "$deleteFromPrimitiveList";
constexpr std::string_view element_order = "$setElementOrder";
constexpr const char* bad_retain_keys = "invalid patch format of retainKeys";
constexpr const char* bad_element_order = "invalid patch format of setElementOrder list";

class merger {
 public:
  explicit merger(document& doc) : doc_(doc) {}

  /// The first error; an ok status so far.
  const status& error() const { return error_; }

  /// `target` becomes the merged map. Both live in the document; the patch is used up.
  void merge_map(node& target, node& patch, const patch_schema& at) {
    if (const node* directive = patch.find(directive_marker)) {
      apply_map_directive(target, patch, directive->string());
      return;
    }
    if (!target.is_object()) doc_.make_object(target);
    retain(target, patch);
    order_lists(target, patch, at);
    for (std::size_t i = 0; i < patch.size() && error_.ok(); ++i) {
      member& m = patch.begin_members()[i];
      merge_member(target, m.key, m.value, at);
    }
  }

 private:
  void fail_bad(std::string text) {
    if (error_.ok()) error_ = bad_request(std::move(text));
  }
  /// What upstream returns as a plain error becomes a 500 with its text.
  void fail(std::string text) {
    if (error_.ok()) error_ = make_status(reason::internal_error, std::move(text));
  }

  void apply_map_directive(node& target, node& patch, std::string_view directive) {
    if (directive == "replace") {
      doc_.remove(patch, directive_marker);
      target = patch;
    } else if (directive == "delete") {
      doc_.clear(target);
      doc_.make_object(target);
    } else {
      fail("unknown patch type: " + std::string(directive) + " in map: " + go_print(patch));
    }
  }

  void retain(node& target, node& patch) {
    const node* found = patch.find(retain_keys);
    if (!found) return;
    if (!found->is_array()) return fail_bad(bad_retain_keys);
    const elements keys = elements_of(found);
    doc_.remove(patch, retain_keys);
    const auto kept = [&](std::string_view key) {
      return std::any_of(keys.begin(), keys.end(), [&](const node& k) { return k.string() == key; });
    };
    for (auto m = patch.begin_members(); m != patch.end_members(); ++m) {
      const bool directive = m->key.starts_with(delete_from_list) || m->key.starts_with(element_order);
      if (!m->value.is_null() && !directive && !kept(m->key)) return fail_bad(bad_retain_keys);
    }
    std::vector<std::string_view> gone;
    for (auto m = target.begin_members(); m != target.end_members(); ++m)
      if (!kept(m->key)) gone.push_back(m->key);
    for (auto key : gone) doc_.remove(target, key);
  }

  void order_lists(node& target, node& patch, const patch_schema& at) {
    std::vector<std::string_view> directives;
    for (auto m = patch.begin_members(); m != patch.end_members(); ++m)
      if (m->key.starts_with(element_order)) directives.push_back(m->key);
    for (auto key : directives) {
      const node order = *patch.find(key);
      doc_.remove(patch, key);
      if (!error_.ok()) return;
      if (!order.is_array()) return fail("expected a []interface {}, but received a " + std::string(kind_name(order)));
      const auto slash = key.find('/');
      if (slash == std::string_view::npos || key.substr(0, slash) != element_order) return fail_bad(bad_element_order);
      order_list(target, patch, at, key.substr(slash + 1), elements_of(&order));
    }
  }

  void order_list(node& target, node& patch, const patch_schema& at, std::string_view field, const elements& order) {
    node* original = target.find(field);
    node* change = patch.find(field);
    if (original && original->is_null()) original = nullptr;
    if ((original && !original->is_array()) || (change && !change->is_array() && !change->is_null()))
      return fail("expected a []interface {}, but received a " +
                  std::string(kind_name(original ? *original : *change)));
    const auto meta = find_patch_meta(at, field);
    if (!meta) return fail(unknown_field(at, field));
    check_order(elements_of(change), order, meta->merge_key);
    if (!error_.ok() || (!original && !change)) return;
    const elements server = elements_of(original);
    elements merged = server;
    if (change && original)
      merged = merge_list(*original, *change, *meta, false);
    else if (change)
      merged = without_directives(elements_of(change));
    if (!error_.ok()) return;
    if (!meta->merge_key.empty()) {
      if (auto missing = missing_key(merged, meta->merge_key); !missing.empty()) return fail(missing);
    }
    assign_list(doc_.set(target, field), ordered(merged, order, server, meta->merge_key));
    doc_.remove(patch, field);
  }

  /// Items of the patch must appear in the same order as in the $setElementOrder list.
  void check_order(const elements& items, const elements& order, std::string_view key) {
    if (items.empty() || order.empty()) return;
    std::size_t at = 0;
    for (const node& item : items) {
      if (item.find(directive_marker)) continue;
      if (!key.empty()) {
        if (auto missing = missing_key({item}, key); !missing.empty()) return fail(missing);
      }
      while (at < order.size() && position({order[at]}, item, key) < 0) ++at;
      if (at == order.size())
        return fail("The order in patch list:\n" + go_print(items) + "\n doesn't match $setElementOrder list:\n" +
                    go_print(order) + "\n");
      ++at;
    }
  }

  void merge_member(node& target, std::string_view key, node& value, const patch_schema& at) {
    const bool deleting = key.starts_with(delete_from_list);
    if (deleting) {
      const auto slash = key.find('/');
      if (slash == std::string_view::npos || key.substr(0, slash) != delete_from_list)
        return fail_bad("invalid patch format of primitive list");
      key.remove_prefix(slash + 1);
    }
    if (value.is_null()) {
      doc_.remove(target, key);
      return;
    }
    node* original = target.find(key);
    const bool both_maps = original && original->is_object() && value.is_object();
    const bool both_lists = original && original->is_array() && value.is_array();
    if (!both_maps && !both_lists) {
      if (!deleting) put(target, key, value);
      return;
    }
    const auto meta = find_patch_meta(at, key);
    if (!meta) return fail(unknown_field(at, key));
    if (both_maps && !meta->replace)
      merge_map(*original, value, meta->inside);
    else if (both_maps)
      *original = value;
    else
      assign_list(*original, merge_list(*original, value, *meta, deleting));
  }

  /// Sets a value that has nothing to merge with: nulls and directives are no part of it.
  void put(node& target, std::string_view key, node& value) {
    drop_nulls(value);
    if (!clean(value)) {
      doc_.remove(target, key);
      return;
    }
    doc_.set(target, key, value);
    target.find(key)->set_ordinal(0xffff);
  }

  elements merge_list(node& original, node& patch, const patch_meta& meta, bool deleting) {
    elements server = elements_of(&original), change = elements_of(&patch);
    if (!meta.merge && !deleting) return change;
    if (server.empty() && change.empty()) return server;
    const node& first = server.empty() ? change.front() : server.front();
    if (!one_kind(server, change)) return server;
    if (!first.is_object()) return merge_scalars(server, change, deleting);
    if (meta.merge_key.empty()) {
      fail("cannot merge lists without merge key for " + std::string(schema_name(meta.inside)));
      return server;
    }
    apply_list_directives(server, change, meta.merge_key);
    elements merged = server;
    merge_items(merged, change, meta);
    if (!error_.ok()) return merged;
    if (auto missing = missing_key(merged, meta.merge_key); !missing.empty()) fail(missing);
    return ordered(merged, change, server, meta.merge_key);
  }

  bool one_kind(const elements& a, const elements& b) {
    const node* first = nullptr;
    for (const auto* list : {&a, &b})
      for (const node& item : *list) {
        if (item.is_array() && !first) return fail("lists of lists are not supported"), false;
        if (first && first->type() != item.type())
          return fail("list element types are not identical: [" + go_print(a) + " " + go_print(b) + "]"), false;
        first = &item;
      }
    return true;
  }

  elements merge_scalars(const elements& server, const elements& change, bool deleting) {
    elements out;
    if (deleting) {
      for (const node& item : server)
        if (position(change, item, {}) < 0) out.push_back(item);
      return out;
    }
    for (const auto* list : {&server, &change})
      for (const node& item : *list)
        if (position(out, item, {}) < 0) out.push_back(item);
    return ordered(out, change, server, {});
  }

  /// $patch: delete and replace among the list's items; `server` and `change` are left without them.
  void apply_list_directives(elements& server, elements& change, std::string_view key) {
    elements rest;
    bool replace = false;
    for (const node& item : change) {
      const node* directive = item.find(directive_marker);
      if (!directive) {
        rest.push_back(item);
      } else if (directive->string() == "delete") {
        const node* value = item.find(key);
        if (!value) return fail(missing_key({item}, key));
        for (auto at = find_by_key(server, key, *value); at >= 0; at = find_by_key(server, key, *value))
          server.erase(server.begin() + at);
      } else if (directive->string() == "replace") {
        replace = true;
      } else if (directive->string() == "merge") {
        return fail("merging lists cannot yet be specified in the patch");
      } else {
        return fail("unknown patch type: " + go_print(*directive) + " in map: " + go_print(item));
      }
    }
    if (replace) {
      server = rest;
      rest.clear();
    }
    change = rest;
  }

  void merge_items(elements& merged, const elements& change, const patch_meta& meta) {
    for (const node& item : change) {
      if (!error_.ok()) return;
      const node* value = item.find(meta.merge_key);
      if (!value) return fail(missing_key({item}, meta.merge_key));
      const auto at = find_by_key(merged, meta.merge_key, *value);
      node copy = item;
      if (at >= 0)
        merge_map(merged[static_cast<std::size_t>(at)], copy, meta.inside);
      else
        merged.push_back(copy);
    }
  }

  void assign_list(node& target, const elements& items) {
    doc_.clear(target);
    doc_.make_array(target);
    for (const node& item : items) doc_.append(target, item);
  }

  void drop_nulls(node& value) {
    if (value.is_array())
      for (std::size_t i = 0; i < value.size(); ++i) drop_nulls(value.element(i));
    if (!value.is_object()) return;
    for (std::size_t i = value.size(); i-- > 0;) {
      member& m = value.begin_members()[i];
      if (m.value.is_null())
        doc_.remove(value, m.key);
      else
        drop_nulls(m.value);
    }
  }

  /// Removes everything with a $patch directive; false when the value itself has one.
  bool clean(node& value) {
    if (value.is_array()) {
      for (std::size_t i = value.size(); i-- > 0;)
        if (!clean(value.element(i))) doc_.erase(value, i);
      return true;
    }
    if (!value.is_object()) return true;
    if (value.find(directive_marker)) return false;
    for (std::size_t i = value.size(); i-- > 0;) {
      member& m = value.begin_members()[i];
      if (!clean(m.value)) doc_.remove(value, m.key);
    }
    return true;
  }

  elements without_directives(const elements& items) {
    elements out;
    for (node item : items)
      if (clean(item)) out.push_back(item);
    return out;
  }

  static std::string_view kind_name(const node& value) {
    switch (value.type()) {
      case node_type::object:
        return "map[string]interface {}";
      case node_type::string:
        return "string";
      case node_type::boolean:
        return "bool";
      case node_type::integer:
        return "int64";
      case node_type::real:
        return "float64";
      default:
        return "%!s(<nil>)";
    }
  }
  static std::string unknown_field(const patch_schema& at, std::string_view field) {
    return "unable to find api field in struct " + std::string(schema_name(at)) + " for the json field \"" +
           std::string(field) + "\"";
  }

  document& doc_;
  status error_;
};

}  // namespace

result<document> apply_strategic_patch(std::uint16_t type, const node& current, std::string_view patch) {
  auto parsed = document::parse(patch);
  if (!parsed) return bad_request(parsed.error().message);
  if (!parsed->root().is_object())
    return bad_request("json: cannot unmarshal " + std::string(parsed->root().is_array() ? "array" : "string") +
                       " into Go value of type map[string]interface {}");
  document out;
  out.root() = out.clone(current);
  node change = out.clone(parsed->root());
  merger worker(out);
  worker.merge_map(out.root(), change, patch_schema{type, nullptr});
  if (!worker.error().ok()) return worker.error();
  return out;
}

}  // namespace troupe::api::rules
