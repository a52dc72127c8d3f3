// The parts of typed views that change documents.
#include "messages/view.hpp"

#include <stdexcept>

namespace troupe {

document& view::writable() const {
  if (!doc_ || !at_) throw std::logic_error("a view made for reading cannot change its object");
  return *doc_;
}

void view::put_text(std::string_view name, std::uint16_t ordinal, std::string_view value) {
  document& doc = writable();
  doc.assign(doc.set_field(*at_, name, ordinal), value);
}

void view::put_number(std::string_view name, std::uint16_t ordinal, std::int64_t value) {
  document& doc = writable();
  doc.assign(doc.set_field(*at_, name, ordinal), value);
}

void view::put_real(std::string_view name, std::uint16_t ordinal, double value) {
  document& doc = writable();
  doc.assign(doc.set_field(*at_, name, ordinal), value);
}

void view::put_flag(std::string_view name, std::uint16_t ordinal, bool value) {
  document& doc = writable();
  doc.assign(doc.set_field(*at_, name, ordinal), value);
}

void view::put_node(std::string_view name, std::uint16_t ordinal, const node& value) {
  document& doc = writable();
  const node copy = doc.clone(value);
  node& target = doc.set_field(*at_, name, ordinal);
  const auto kept = target.ordinal();
  target = copy;
  target.set_ordinal(kept);
}

node* view::make_field(std::string_view name, std::uint16_t ordinal, node_type type) {
  document& doc = writable();
  node& target = doc.set_field(*at_, name, ordinal);
  if (type == node_type::object && !target.is_object()) doc.make_object(target);
  if (type == node_type::array && !target.is_array()) doc.make_array(target);
  return &target;
}

void view::drop_field(std::string_view name) {
  if (at_ && at_->is_object()) writable().remove(*at_, name);
}

namespace detail {

node& list_base::add() {
  if (!view_document() || !view_node()) throw std::logic_error("a view made for reading cannot change its list");
  return view_document()->append(*view_node());
}

void list_base::erase(std::size_t index) {
  if (!view_document()) throw std::logic_error("a view made for reading cannot change its list");
  view_document()->erase(*view_node(), index);
}

void list_base::clear() {
  if (empty()) return;
  if (!view_document()) throw std::logic_error("a view made for reading cannot change its list");
  view_document()->truncate(*view_node(), 0);
}

node& map_base::at(std::string_view key) {
  if (!view_document() || !view_node()) throw std::logic_error("a view made for reading cannot change its map");
  return view_document()->set(*view_node(), key);
}

bool map_base::remove(std::string_view key) {
  if (empty()) return false;
  if (!view_document()) throw std::logic_error("a view made for reading cannot change its map");
  return view_document()->remove(*view_node(), key);
}

}  // namespace detail

bool string_list_view::contains(std::string_view text) const {
  for (auto item : *this) {
    if (item == text) return true;
  }
  return false;
}

void string_list_view::append(std::string_view text) {
  node& added = add();
  view_document()->assign(added, text);
}

bool string_list_view::remove(std::string_view text) {
  const std::size_t before = size();
  for (std::size_t i = size(); i-- > 0;) {
    if ((*this)[i] == text) erase(i);
  }
  return size() != before;
}

void int_list_view::append(std::int64_t number) {
  node& added = add();
  view_document()->assign(added, number);
}

std::optional<std::string_view> map_view::find(std::string_view key) const {
  const node* found = view_node() ? view_node()->find(key) : nullptr;
  if (!found) return std::nullopt;
  return found->string();
}

void map_view::set(std::string_view key, std::string_view value) {
  node& target = at(key);
  view_document()->assign(target, value);
}

}  // namespace troupe
