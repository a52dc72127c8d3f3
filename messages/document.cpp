// The tree of a document: finding, changing, copying, comparing.
#include "messages/document.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <stdexcept>

namespace troupe {
namespace {

/// Whether a member list is full, given its room as the node keeps it (0: just what is there).
bool is_full(std::size_t size, std::uint8_t capacity_log2) {
  return capacity_log2 == 0 || size >= (std::size_t{1} << capacity_log2);
}

/// The room to make for one more than `size`.
std::uint8_t next_capacity_log2(std::size_t size) {
  return static_cast<std::uint8_t>(std::max<int>(2, std::bit_width(size)));
}

bool equal_objects(const node& a, const node& b) {
  const member* other = b.begin_members();
  for (const member* m = a.begin_members(); m != a.end_members(); ++m, ++other) {
    const node* value = other->key == m->key ? &other->value : b.find(m->key);
    if (!value || !equal(m->value, *value)) return false;
  }
  return true;
}

}  // namespace

static_assert(sizeof(node) == 16 && sizeof(member) == 32);

double node::real(double fallback) const {
  if (type_ == node_type::integer) return static_cast<double>(value_.integer);
  if (type_ != node_type::real) return fallback;
  double value = 0;
  const auto end = std::from_chars(value_.text, value_.text + size_, value);
  // Beyond double: infinite or zero, as strtod has it.
  return end.ec == std::errc() ? value : std::strtod(std::string(literal()).c_str(), nullptr);
}

node* node::find(std::string_view key) {
  for (member* m = end_members(); m != begin_members();) {
    --m;
    if (m->key == key) return &m->value;
  }
  return nullptr;
}

const node* node::find(std::string_view key) const { return const_cast<node*>(this)->find(key); }

arena::arena(arena&& other) noexcept { *this = std::move(other); }

arena& arena::operator=(arena&& other) noexcept {
  blocks_ = std::move(other.blocks_);
  next_ = std::exchange(other.next_, nullptr);
  end_ = std::exchange(other.end_, nullptr);
  next_block_ = std::exchange(other.next_block_, std::size_t{4096});
  other.blocks_.clear();
  return *this;
}

void arena::grow(std::size_t bytes) {
  const std::size_t size = std::max(bytes, next_block_);
  next_block_ = std::min<std::size_t>(next_block_ * 2, std::size_t{1} << 20);
  blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
  next_ = blocks_.back().get();
  end_ = next_ + size;
}

std::string_view arena::copy(std::string_view text) {
  if (text.empty()) return {};
  char* at = static_cast<char*>(allocate(text.size()));
  std::memcpy(at, text.data(), text.size());
  return {at, text.size()};
}

member& document::insert_member(node& parent, std::size_t at, std::string_view key) {
  member* members = parent.value_.members;
  if (is_full(parent.size_, parent.capacity_log2_)) {
    parent.capacity_log2_ = next_capacity_log2(parent.size_);
    auto* grown = static_cast<member*>(arena_.allocate(sizeof(member) << parent.capacity_log2_));
    std::copy(members, members + at, grown);
    std::copy(members + at, members + parent.size_, grown + at + 1);
    parent.value_.members = members = grown;
  } else {
    std::copy_backward(members + at, members + parent.size_, members + parent.size_ + 1);
  }
  ++parent.size_;
  members[at].key = key;
  members[at].value = node();
  return members[at];
}

node& document::set(node& parent, std::string_view key) {
  if (parent.is_null()) make_object(parent);
  if (!parent.is_object()) throw std::logic_error("set: the parent is not an object");
  if (node* found = parent.find(key)) return *found;
  return insert_member(parent, parent.size_, arena_.copy(key)).value;
}

node& document::set_field(node& parent, std::string_view name, std::uint16_t ordinal) {
  if (parent.is_null()) make_object(parent);
  if (!parent.is_object()) throw std::logic_error("set_field: the parent is not an object");
  if (node* found = parent.find(name)) return *found;
  std::size_t at = parent.size_;
  const member* members = parent.begin_members();
  while (at > 0 && ordinal_rank(members[at - 1].value.ordinal_) > ordinal_rank(ordinal)) --at;
  node& added = insert_member(parent, at, name).value;
  added.ordinal_ = ordinal;
  return added;
}

node& document::set(node& parent, std::string_view key, std::string_view text) {
  node& value = set(parent, key);
  assign(value, text);
  return value;
}

node& document::set(node& parent, std::string_view key, std::int64_t number) {
  node& value = set(parent, key);
  assign(value, number);
  return value;
}

node& document::set(node& parent, std::string_view key, bool flag) {
  node& value = set(parent, key);
  assign(value, flag);
  return value;
}

node& document::set(node& parent, std::string_view key, const node& value) {
  node copy = value;
  node& target = set(parent, key);
  copy.ordinal_ = target.ordinal_;
  target = copy;
  return target;
}

bool document::remove(node& parent, std::string_view key) {
  if (!parent.is_object()) return false;
  member* kept =
      std::remove_if(parent.begin_members(), parent.end_members(), [&](const member& m) { return m.key == key; });
  if (kept == parent.end_members()) return false;
  truncate(parent, static_cast<std::size_t>(kept - parent.begin_members()));
  return true;
}

node& document::append(node& parent) {
  if (parent.is_null()) make_array(parent);
  if (!parent.is_array()) throw std::logic_error("append: the parent is not an array");
  if (is_full(parent.size_, parent.capacity_log2_)) {
    parent.capacity_log2_ = next_capacity_log2(parent.size_);
    auto* grown = static_cast<node*>(arena_.allocate(sizeof(node) << parent.capacity_log2_));
    std::copy(parent.begin_elements(), parent.end_elements(), grown);
    parent.value_.elements = grown;
  }
  node& added = parent.value_.elements[parent.size_++];
  added = node();
  return added;
}

node& document::append(node& parent, const node& value) {
  node copy = value;
  copy.ordinal_ = no_ordinal;
  node& added = append(parent);
  added = copy;
  return added;
}

void document::erase(node& parent, std::size_t index) {
  if (!parent.is_array() || index >= parent.size_) throw std::logic_error("erase: no such element");
  std::copy(parent.begin_elements() + index + 1, parent.end_elements(), parent.begin_elements() + index);
  truncate(parent, parent.size_ - 1);
}

void document::truncate(node& value, std::size_t size) {
  if (size >= value.size()) return;
  value.size_ = static_cast<std::uint32_t>(size);
}

void document::clear(node& value) {
  const auto ordinal = value.ordinal_;
  value = node();
  value.ordinal_ = ordinal;
}

void document::make_object(node& value) {
  clear(value);
  value.type_ = node_type::object;
  value.value_.members = nullptr;
}

void document::make_array(node& value) {
  clear(value);
  value.type_ = node_type::array;
  value.value_.elements = nullptr;
}

void document::assign(node& value, std::string_view text) {
  const std::string_view kept = arena_.copy(text);
  clear(value);
  value.type_ = node_type::string;
  value.size_ = static_cast<std::uint32_t>(kept.size());
  value.value_.text = kept.data();
}

void document::assign(node& value, std::int64_t number) {
  clear(value);
  value.type_ = node_type::integer;
  value.value_.integer = number;
}

void document::assign(node& value, double number) {
  std::string text;
  append_json_real(text, number);
  if (text == "null") return clear(value);
  assign(value, text);
  value.type_ = node_type::real;
}

void document::assign(node& value, bool flag) {
  clear(value);
  value.type_ = node_type::boolean;
  value.value_.boolean = flag;
}

node document::clone(const node& value) {
  node copy = value;
  copy.capacity_log2_ = 0;
  switch (value.type()) {
    case node_type::string:
    case node_type::real:
      copy.value_.text = arena_.copy({value.value_.text, value.size_}).data();
      break;
    case node_type::array:
      copy.value_.elements = static_cast<node*>(arena_.allocate(sizeof(node) * value.size()));
      for (std::size_t i = 0; i < value.size(); ++i) copy.value_.elements[i] = clone(value.element(i));
      break;
    case node_type::object:
      copy.value_.members = static_cast<member*>(arena_.allocate(sizeof(member) * value.size()));
      for (std::size_t i = 0; i < value.size(); ++i) {
        const member& from = value.begin_members()[i];
        copy.value_.members[i] = {arena_.copy(from.key), clone(from.value)};
      }
      break;
    default:
      break;
  }
  return copy;
}

bool equal(const node& a, const node& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return a.integer() == b.integer();
    return a.real() == b.real();
  }
  if (a.type() != b.type() || a.size() != b.size()) return false;
  switch (a.type()) {
    case node_type::boolean:
      return a.boolean() == b.boolean();
    case node_type::string:
      return a.string() == b.string();
    case node_type::array:
      return std::equal(a.begin_elements(), a.end_elements(), b.begin_elements(), equal);
    case node_type::object:
      return equal_objects(a, b);
    default:
      return true;
  }
}

}  // namespace troupe
