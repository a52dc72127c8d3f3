// What the generated typed views are made of: a pair of document and node that reads without checks for absence.
//
// A view of an absent value reads as empty everywhere. Setters need a view made from a document; they create what is
// missing on the way and keep members in schema order. A view is as short-lived as a reference: growth of the object or
// list it came from invalidates it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "messages/document.hpp"

namespace troupe {

/// Base of every typed view.
class view {
 public:
  view() = default;
  view(document* doc, node* at) : doc_(doc), at_(at) {}
  explicit view(document& doc) : doc_(&doc), at_(&doc.root()) {}
  view(document& doc, node& at) : doc_(&doc), at_(&at) {}
  // For reading only; a setter then throws std::logic_error.
  explicit view(const document& doc) : at_(const_cast<node*>(&doc.root())) {}
  explicit view(const node* at) : at_(const_cast<node*>(at)) {}
  explicit view(const node& at) : at_(const_cast<node*>(&at)) {}

  /// Whether the value is there (present and not null).
  explicit operator bool() const { return at_ && !at_->is_null(); }
  node* view_node() const { return at_; }
  document* view_document() const { return doc_; }

 protected:
  template <std::size_t N>
  node* field_node(const char (&name)[N]) const {
    if (!at_ || !at_->is_object()) return nullptr;
    for (member* m = at_->end_members(); m != at_->begin_members();) {
      --m;
      if (m->key.size() == N - 1 && std::memcmp(m->key.data(), name, N - 1) == 0) return &m->value;
    }
    return nullptr;
  }
  template <std::size_t N>
  bool field_exists(const char (&name)[N]) const {
    const node* found = field_node(name);
    return found && !found->is_null();
  }
  template <std::size_t N>
  std::string_view field_text(const char (&name)[N]) const {
    const node* found = field_node(name);
    return found ? found->string() : std::string_view();
  }
  template <std::size_t N>
  std::int64_t field_number(const char (&name)[N], std::int64_t fallback) const {
    const node* found = field_node(name);
    return found ? found->integer(fallback) : fallback;
  }
  template <std::size_t N>
  double field_real(const char (&name)[N], double fallback) const {
    const node* found = field_node(name);
    return found ? found->real(fallback) : fallback;
  }
  template <std::size_t N>
  bool field_flag(const char (&name)[N], bool fallback) const {
    const node* found = field_node(name);
    return found ? found->boolean(fallback) : fallback;
  }

  void put_text(std::string_view name, std::uint16_t ordinal, std::string_view value);
  void put_number(std::string_view name, std::uint16_t ordinal, std::int64_t value);
  void put_real(std::string_view name, std::uint16_t ordinal, double value);
  void put_flag(std::string_view name, std::uint16_t ordinal, bool value);
  /// Puts a deep copy.
  void put_node(std::string_view name, std::uint16_t ordinal, const node& value);
  /// The member, made if absent or of another type than `type` (null: any type will do).
  node* make_field(std::string_view name, std::uint16_t ordinal, node_type type);
  void drop_field(std::string_view name);

 private:
  document& writable() const;

  document* doc_ = nullptr;
  node* at_ = nullptr;
};

namespace detail {
/// Iterates over elements or members by value: `Read` turns a position into what the loop sees.
template <class Item, class Position, class Read>
class view_iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Item;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = Item;

  view_iterator() = default;
  view_iterator(document* doc, Position* at) : doc_(doc), at_(at) {}
  Item operator*() const { return Read{}(doc_, *at_); }
  view_iterator& operator++() {
    ++at_;
    return *this;
  }
  view_iterator operator++(int) {
    auto old = *this;
    ++at_;
    return old;
  }
  bool operator==(const view_iterator& other) const { return at_ == other.at_; }

 private:
  document* doc_ = nullptr;
  Position* at_ = nullptr;
};

template <class View>
struct read_view {
  View operator()(document* doc, node& at) const { return View(doc, &at); }
};
struct read_text {
  std::string_view operator()(document*, const node& at) const { return at.string(); }
};
struct read_number {
  std::int64_t operator()(document*, const node& at) const { return at.integer(); }
};
struct read_pair {
  std::pair<std::string_view, std::string_view> operator()(document*, const member& at) const {
    return {at.key, at.value.string()};
  }
};
template <class View>
struct read_named_view {
  std::pair<std::string_view, View> operator()(document* doc, member& at) const {
    return {at.key, View(doc, &at.value)};
  }
};

/// What all lists share.
class list_base : public view {
 public:
  using view::view;
  std::size_t size() const { return view_node() && view_node()->is_array() ? view_node()->size() : 0; }
  bool empty() const { return size() == 0; }
  void erase(std::size_t index);
  void clear();

 protected:
  node* first() const { return empty() ? nullptr : view_node()->begin_elements(); }
  node& add();
};

/// What all maps share.
class map_base : public view {
 public:
  using view::view;
  std::size_t size() const { return view_node() && view_node()->is_object() ? view_node()->size() : 0; }
  bool empty() const { return size() == 0; }
  bool contains(std::string_view key) const { return view_node() && view_node()->find(key); }
  bool remove(std::string_view key);

 protected:
  member* first() const { return empty() ? nullptr : view_node()->begin_members(); }
  node& at(std::string_view key);
};
}  // namespace detail

/// A list of structures.
template <class View>
class list_view : public detail::list_base {
 public:
  using detail::list_base::list_base;
  using iterator = detail::view_iterator<View, node, detail::read_view<View>>;
  iterator begin() const { return {view_document(), first()}; }
  iterator end() const { return {view_document(), first() + size()}; }
  View operator[](std::size_t index) const { return View(view_document(), first() + index); }
  View front() const { return (*this)[0]; }
  View back() const { return (*this)[size() - 1]; }
  /// A new empty element at the end. Views of earlier elements are then invalid.
  View append() {
    node& added = add();
    view_document()->make_object(added);
    return View(view_document(), &added);
  }
};

/// A list of strings.
class string_list_view : public detail::list_base {
 public:
  using list_base::list_base;
  using iterator = detail::view_iterator<std::string_view, node, detail::read_text>;
  iterator begin() const { return {view_document(), first()}; }
  iterator end() const { return {view_document(), first() + size()}; }
  std::string_view operator[](std::size_t index) const { return first()[index].string(); }
  bool contains(std::string_view text) const;
  void append(std::string_view text);
  /// Removes every element equal to the text; whether there was one.
  bool remove(std::string_view text);
};

/// A list of integers.
class int_list_view : public detail::list_base {
 public:
  using list_base::list_base;
  using iterator = detail::view_iterator<std::int64_t, node, detail::read_number>;
  iterator begin() const { return {view_document(), first()}; }
  iterator end() const { return {view_document(), first() + size()}; }
  std::int64_t operator[](std::size_t index) const { return first()[index].integer(); }
  void append(std::int64_t number);
};

/// A map of strings.
class map_view : public detail::map_base {
 public:
  using map_base::map_base;
  using iterator = detail::view_iterator<std::pair<std::string_view, std::string_view>, member, detail::read_pair>;
  iterator begin() const { return {view_document(), first()}; }
  iterator end() const { return {view_document(), first() + size()}; }
  std::optional<std::string_view> find(std::string_view key) const;
  std::string_view get(std::string_view key, std::string_view fallback = {}) const {
    return find(key).value_or(fallback);
  }
  void set(std::string_view key, std::string_view value);
};

/// A map of structures.
template <class View>
class struct_map_view : public detail::map_base {
 public:
  using detail::map_base::map_base;
  using iterator = detail::view_iterator<std::pair<std::string_view, View>, member, detail::read_named_view<View>>;
  iterator begin() const { return {view_document(), first()}; }
  iterator end() const { return {view_document(), first() + size()}; }
  View find(std::string_view key) const {
    return View(view_document(), view_node() ? view_node()->find(key) : nullptr);
  }
  /// The value of the key, made if absent.
  View mutable_at(std::string_view key) {
    node& found = at(key);
    if (!found.is_object()) view_document()->make_object(found);
    return View(view_document(), &found);
  }
};

}  // namespace troupe
