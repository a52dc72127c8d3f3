// The decoded form of an API object: a tree in one arena, for whoever must look inside or change it.
//
// Nodes are 16 bytes, strings are views into the arena. Nothing here is shared between threads. A document is made from
// JSON bytes, changed, and encoded to canonical JSON once (see schema/codec.hpp for the schema-driven half).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "messages/status.hpp"

namespace troupe {

/// `integer` is a number without fraction and exponent that fits 64 bits; every other number is a `real`, which keeps
/// its text as it was written.
enum class node_type : std::uint8_t { null, boolean, integer, real, string, array, object };

struct member;

/// One JSON value. Trivially copyable; its strings, elements and members live in the document's arena. Copying a node
/// copies the handle: an array or object is then shared, so clone() before changing a copy.
class node {
 public:
  node_type type() const { return type_; }
  bool is_null() const { return type_ == node_type::null; }
  bool is_string() const { return type_ == node_type::string; }
  bool is_object() const { return type_ == node_type::object; }
  bool is_array() const { return type_ == node_type::array; }
  bool is_integer() const { return type_ == node_type::integer; }
  bool is_number() const { return type_ == node_type::integer || type_ == node_type::real; }
  bool is_boolean() const { return type_ == node_type::boolean; }

  /// The value, or the fallback if the node has another type.
  bool boolean(bool fallback = false) const { return is_boolean() ? value_.boolean : fallback; }
  std::int64_t integer(std::int64_t fallback = 0) const { return is_integer() ? value_.integer : fallback; }
  double real(double fallback = 0) const;  // also of an integer
  std::string_view string(std::string_view fallback = {}) const {
    return is_string() ? std::string_view(value_.text, size_) : fallback;
  }
  /// A real's text as it was written; empty for any other type.
  std::string_view literal() const {
    return type_ == node_type::real ? std::string_view(value_.text, size_) : std::string_view();
  }

  /// Elements of an array, members of an object; 0 for anything else.
  std::size_t size() const { return is_array() || is_object() ? size_ : 0; }
  bool empty() const { return size() == 0; }
  node* begin_elements() { return is_array() ? value_.elements : nullptr; }
  node* end_elements() { return is_array() ? value_.elements + size_ : nullptr; }
  const node* begin_elements() const { return is_array() ? value_.elements : nullptr; }
  const node* end_elements() const { return is_array() ? value_.elements + size_ : nullptr; }
  member* begin_members() { return is_object() ? value_.members : nullptr; }
  inline member* end_members();
  const member* begin_members() const { return is_object() ? value_.members : nullptr; }
  inline const member* end_members() const;
  node& element(std::size_t i) { return begin_elements()[i]; }
  const node& element(std::size_t i) const { return begin_elements()[i]; }

  /// The member's value, or nullptr where it is absent or this is no object; of duplicates the last. A path is walked
  /// by find("a", "b", ...).
  node* find(std::string_view key);
  const node* find(std::string_view key) const;
  template <class... More>
  const node* find(std::string_view key, std::string_view next, More... more) const {
    const node* child = find(key);
    return child ? child->find(next, more...) : nullptr;
  }
  template <class... More>
  node* find(std::string_view key, std::string_view next, More... more) {
    node* child = find(key);
    return child ? child->find(next, more...) : nullptr;
  }

 private:
  friend class document;
  friend class json_parser;
  node_type type_ = node_type::null;
  std::uint8_t capacity_log2_ = 0;  // room for elements or members; 0: just for those that are there
  std::uint16_t ordinal_ = 0xffff;  // cached schema field index when this is a member's value; 0xffff unknown
  std::uint32_t size_ = 0;
  union payload {
    bool boolean;
    std::int64_t integer;
    const char* text;
    node* elements;
    member* members;
  } value_{.integer = 0};

 public:
  /// The schema field index when this is a member's value, as conform() found it; a hint, check the key before use.
  std::uint16_t ordinal() const { return ordinal_; }
  void set_ordinal(std::uint16_t value) { ordinal_ = value; }
};

/// One member of an object.
struct member {
  std::string_view key;
  node value;
};

inline member* node::end_members() { return is_object() ? value_.members + size_ : nullptr; }
inline const member* node::end_members() const { return is_object() ? value_.members + size_ : nullptr; }

/// Ordinals of the members that every typed object begins with, and of unknown ones.
constexpr std::uint16_t kind_ordinal = 0xfffd;
constexpr std::uint16_t api_version_ordinal = 0xfffe;
constexpr std::uint16_t no_ordinal = 0xffff;
/// Orders members as canonical JSON has them: kind, apiVersion, unknown ones, then fields by ordinal.
constexpr std::uint16_t ordinal_rank(std::uint16_t ordinal) { return static_cast<std::uint16_t>(ordinal + 3); }

/// Memory of a document: grows in blocks, freed at once.
class arena {
 public:
  arena() = default;
  arena(arena&& other) noexcept;
  arena& operator=(arena&& other) noexcept;
  /// Aligned to 8 bytes.
  void* allocate(std::size_t bytes) {
    bytes = (bytes + 7) & ~std::size_t{7};
    if (static_cast<std::size_t>(end_ - next_) < bytes) grow(bytes);
    void* at = next_;
    next_ += bytes;
    return at;
  }
  /// Makes room for that many bytes in one block.
  void reserve(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - next_) < bytes) grow(bytes);
  }
  /// A copy of the text that lives as long as the arena.
  std::string_view copy(std::string_view text);

 private:
  void grow(std::size_t bytes);

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  char* end_ = nullptr;
  std::size_t next_block_ = 4096;
};

/// A JSON value with the memory it lives in.
class document {
 public:
  document() = default;
  document(document&&) noexcept = default;
  document& operator=(document&&) noexcept = default;

  /// Parses JSON. The error is a bad_request whose message says what and where, as Go's decoder words it where
  /// practical. Duplicate keys are kept (the last wins in find); codec's conform reports and removes them. Depth is
  /// bounded to 512.
  static result<document> parse(std::string_view json);
  /// Parses one YAML document into the same tree (YAML 1.1 scalars as Kubernetes' sigs.k8s.io/yaml reads them).
  static result<document> parse_yaml(std::string_view yaml);

  node& root() { return root_; }
  const node& root() const { return root_; }
  arena& memory() { return arena_; }

  // Changing. `parent` must be an object (or null, which becomes an empty object) resp. an array (or null) of this
  // document. Keys and texts are copied into the arena. References into `parent` do not survive its growth.
  node& set(node& parent, std::string_view key);  // finds or adds; a new one is null
  node& set(node& parent, std::string_view key, std::string_view text);
  node& set(node& parent, std::string_view key, const char* text) { return set(parent, key, std::string_view(text)); }
  node& set(node& parent, std::string_view key, std::int64_t number);
  node& set(node& parent, std::string_view key, int number) { return set(parent, key, std::int64_t{number}); }
  node& set(node& parent, std::string_view key, bool flag);
  node& set(node& parent, std::string_view key,
            const node& value);  // shares; clone() a value of another document first
  /// As set(parent, key), but a new member is put where the field of that ordinal belongs. `name` must outlive the
  /// document (a literal or the schema's).
  node& set_field(node& parent, std::string_view name, std::uint16_t ordinal);
  bool remove(node& parent, std::string_view key);
  node& append(node& parent);  // a new null element
  node& append(node& parent, const node& value);
  void erase(node& parent, std::size_t index);
  void clear(node& value);  // becomes null
  void make_object(node& value);
  void make_array(node& value);
  void assign(node& value, std::string_view text);
  void assign(node& value, const char* text) { assign(value, std::string_view(text)); }
  void assign(node& value, std::int64_t number);
  void assign(node& value, int number) { assign(value, std::int64_t{number}); }
  void assign(node& value, double number);
  void assign(node& value, bool flag);
  /// Drops all elements or members from index `size` on.
  void truncate(node& value, std::size_t size);
  /// A deep copy, living in this document's arena, of a value of any document.
  node clone(const node& value);

 private:
  member& insert_member(node& parent, std::size_t at, std::string_view key);

  arena arena_;
  node root_;
};

/// Deep equality; member order does not matter, numbers compare by value.
bool equal(const node& a, const node& b);

/// Plain JSON in the members' own order (no schema): strings escaped as Go's encoding/json does.
void append_json(std::string& out, const node& value);
std::string to_json(const node& value);
/// YAML as kubectl prints it (keys sorted, two spaces, block style).
std::string to_yaml(const node& value);
/// A number as Go's encoding/json writes a float64; not finite: "null".
void append_json_real(std::string& out, double value);
/// Appends the string as a JSON string literal, escaped as Go's encoding/json does (including <, >, & and U+2028/9).
void append_json_string(std::string& out, std::string_view text);
/// The text as a JSON string, quotes included.
std::string json_string(std::string_view text);

}  // namespace troupe
