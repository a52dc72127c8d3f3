// Field paths and field errors as apimachinery words them: the currency of every validation function.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "messages/document.hpp"
#include "messages/status.hpp"

namespace troupe::api::rules {

/// A place in an object ("spec.containers[0].name"): a chain on the stack, rendered only when an error needs it. A step
/// may name several fields at once ("secretRef.name"). A path must outlive those made from it.
class path {
 public:
  explicit path(std::string_view root) : name_(root) {}
  path child(std::string_view name) const& { return path(this, name, kind::child, 0); }
  path index(std::size_t i) const& { return path(this, {}, kind::index, i); }
  path key(std::string_view k) const& { return path(this, k, kind::key, 0); }
  path child(std::string_view) && = delete;  // the temporary would be gone before the child is used
  path index(std::size_t) && = delete;
  path key(std::string_view) && = delete;

  /// "spec.ports[0].name"; an empty root adds nothing.
  std::string str() const;

 private:
  enum class kind : std::uint8_t { child, index, key };
  path(const path* parent, std::string_view name, kind what, std::size_t index)
      : parent_(parent), name_(name), index_(index), kind_(what) {}
  void append(std::string& out) const;

  const path* parent_ = nullptr;
  std::string_view name_;
  std::size_t index_ = 0;
  kind kind_ = kind::child;
};

/// What several string checks found wrong with one value; empty when it is fine.
using messages = std::vector<std::string>;

/// The errors of one object, in the order found.
class error_list {
 public:
  void required(const path& at, std::string_view detail = {});
  void forbidden(const path& at, std::string_view detail);
  void invalid(const path& at, std::string_view value, std::string_view detail);
  void invalid(const path& at, const char* value, std::string_view detail) {
    invalid(at, std::string_view(value), detail);
  }
  void invalid(const path& at, std::int64_t value, std::string_view detail);
  void invalid(const path& at, int value, std::string_view detail) { invalid(at, std::int64_t{value}, detail); }
  void invalid(const path& at, bool value, std::string_view detail);
  /// The value as JSON; a null pointer prints null.
  void invalid(const path& at, const node* value, std::string_view detail);
  /// The value is printed as it is given.
  void invalid_json(const path& at, std::string_view json, std::string_view detail);
  /// Without the value.
  void invalid_plain(const path& at, std::string_view detail);
  /// One error for each message.
  void invalid(const path& at, std::string_view value, const messages& details);
  void invalid(const path& at, std::int64_t value, const messages& details);
  void not_supported(const path& at, std::string_view value, std::span<const std::string_view> supported);
  void not_supported(const path& at, std::string_view value, std::initializer_list<std::string_view> supported) {
    not_supported(at, value, std::span<const std::string_view>(supported.begin(), supported.size()));
  }
  /// The value is printed as it is given.
  void not_supported_json(const path& at, std::string_view json, std::initializer_list<std::string_view> supported);
  void duplicate(const path& at, std::string_view value);
  void duplicate(const path& at, std::int64_t value);
  void duplicate(const path& at, const node* value);
  /// The value is printed as it is given.
  void duplicate_json(const path& at, std::string_view json, std::string_view detail = {});
  void not_found(const path& at, std::string_view value, std::string_view detail = {});
  void too_long(const path& at, std::int64_t max_bytes);
  void too_many(const path& at, std::int64_t actual, std::int64_t max_items);
  void internal(const path& at, std::string_view detail);

  bool empty() const { return causes_.empty(); }
  std::size_t size() const { return causes_.size(); }
  void append(error_list&& more);
  std::vector<status_cause> take() && { return std::move(causes_); }
  std::vector<status_cause> take_causes() && { return std::move(causes_); }
  const std::vector<status_cause>& causes() const { return causes_; }

 private:
  void add(std::string_view type, const path& at, std::string body);
  std::vector<status_cause> causes_;
};

/// A Go string literal of the text (strconv.Quote).
std::string go_quote(std::string_view text);

}  // namespace troupe::api::rules
