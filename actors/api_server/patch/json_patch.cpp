// JSON patch (RFC 6902) as the library that Kubernetes uses reads it: negative indices count from the end.
#include <optional>
#include <string>
#include <vector>

#include "actors/api_server/patch/patch.hpp"
#include "actors/api_server/validation/access.hpp"
#include "messages/number.hpp"

namespace troupe::api::rules {
namespace {

/// "/a~1b/0" as {"a/b", "0"}; nothing for a pointer that does not start with '/'.
std::optional<std::vector<std::string>> split_pointer(std::string_view pointer) {
  std::vector<std::string> out;
  if (pointer.empty()) return out;
  if (pointer[0] != '/') return std::nullopt;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '/') {
      out.emplace_back();
    } else if (pointer[i] == '~' && i + 1 < pointer.size() && (pointer[i + 1] == '0' || pointer[i + 1] == '1')) {
      out.back().push_back(pointer[++i] == '0' ? '~' : '/');
    } else {
      out.back().push_back(pointer[i]);
    }
  }
  return out;
}

/// A list index below `limit`; negative ones count from `limit`.
std::optional<std::size_t> list_index(std::string_view token, std::size_t limit) {
  const auto number = number_in<std::int64_t>(token);
  if (!number) return std::nullopt;
  const auto value = *number < 0 ? *number + static_cast<std::int64_t>(limit) : *number;
  if (value < 0 || value >= static_cast<std::int64_t>(limit)) return std::nullopt;
  return static_cast<std::size_t>(value);
}

node* step(node* at, std::string_view token) {
  if (!at) return nullptr;
  if (at->is_object()) return at->find(token);
  if (!at->is_array()) return nullptr;
  const auto index = list_index(token, at->size());
  return index ? &at->element(*index) : nullptr;
}

class machine {
 public:
  explicit machine(const node& current) { doc_.root() = doc_.clone(current); }

  /// False where the operation does not apply.
  bool run(const node& operation) {
    const node* where = get(&operation, "path");
    if (!where || !where->is_string()) return false;
    const auto at = split_pointer(where->string());
    if (!at) return false;
    const auto name = text(&operation, "op");
    const node* value = operation.find("value");
    if (name == "add") return value && add(*at, doc_.clone(*value));
    if (name == "replace") return value && replace(*at, *value);
    if (name == "remove") return remove(*at);
    if (name == "test") return test(*at, value);
    if (name == "move" || name == "copy") return transfer(name == "move", text(&operation, "from"), *at);
    return false;
  }
  document take() { return std::move(doc_); }

 private:
  using pointer = std::vector<std::string>;

  node* find(const pointer& at, std::size_t depth) {
    node* here = &doc_.root();
    for (std::size_t i = 0; i < depth && here; ++i) here = step(here, at[i]);
    return here;
  }
  bool add(const pointer& at, node value) {
    value.set_ordinal(0xffff);
    if (at.empty()) {
      doc_.root() = value;
      return true;
    }
    node* parent = find(at, at.size() - 1);
    if (!parent) return false;
    if (parent->is_object()) {
      doc_.set(*parent, at.back(), value);
      return true;
    }
    if (!parent->is_array()) return false;
    const auto index = at.back() == "-" ? parent->size() : list_index(at.back(), parent->size() + 1);
    if (!index) return false;
    insert(*parent, *index, value);
    return true;
  }
  void insert(node& list, std::size_t index, const node& value) {
    doc_.append(list, value);
    for (std::size_t i = list.size() - 1; i > index; --i) std::swap(list.element(i), list.element(i - 1));
  }
  bool replace(const pointer& at, const node& value) {
    node* target = find(at, at.size());
    if (!target) return false;
    *target = doc_.clone(value);
    target->set_ordinal(0xffff);
    return true;
  }
  bool remove(const pointer& at) {
    if (at.empty()) return false;
    node* parent = find(at, at.size() - 1);
    if (!parent || !step(parent, at.back())) return false;
    if (parent->is_object()) return doc_.remove(*parent, at.back());
    const auto index = list_index(at.back(), parent->size());
    if (index) doc_.erase(*parent, *index);
    return index.has_value();
  }
  bool test(const pointer& at, const node* wanted) {
    const node* found = find(at, at.size());
    if (!found || found->is_null()) return !wanted || wanted->is_null();
    return wanted && equal(*found, *wanted);
  }
  bool transfer(bool move, std::string_view from_text, const pointer& to) {
    const auto from = split_pointer(from_text);
    if (!from) return false;
    node* source = find(*from, from->size());
    if (!source) return false;
    const node value = doc_.clone(*source);
    if (move && !remove(*from)) return false;
    return add(to, value);
  }

  document doc_;
};

status too_many_operations(std::size_t count) {
  return make_status(reason::request_entity_too_large,
                     "Request entity is too large: The allowed maximum operations in a JSON patch is " +
                         std::to_string(max_json_patch_operations) + ", got " + std::to_string(count));
}

}  // namespace

result<document> apply_json_patch(const node& current, std::string_view patch) {
  auto parsed = document::parse(patch);
  if (!parsed) return bad_request(parsed.error().message);
  const node& operations = parsed->root();
  if (!operations.is_array() && !operations.is_null())
    return bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch");
  if (operations.size() > max_json_patch_operations) return too_many_operations(operations.size());
  machine worker(current);
  for (std::size_t i = 0; i < operations.size(); ++i)
    if (!worker.run(operations.element(i)))
      return make_status(reason::invalid, "the server rejected our request due to an error in our request");
  return worker.take();
}

}  // namespace troupe::api::rules
