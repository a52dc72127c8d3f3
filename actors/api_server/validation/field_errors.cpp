// Rendering of field paths and field errors.
#include "actors/api_server/validation/field_errors.hpp"

#include <iterator>

namespace troupe::api::rules {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

std::string body(std::string_view what, std::string_view value, std::string_view detail) {
  std::string out(what);
  if (!value.empty()) out.append(": ").append(value);
  if (!detail.empty()) out.append(": ").append(detail);
  return out;
}

std::string supported_values(std::span<const std::string_view> supported) {
  std::string detail;
  for (auto text : supported) detail.append(detail.empty() ? "supported values: " : ", ").append(go_quote(text));
  return detail;
}

std::string json_of(const node* value) { return value ? to_json(*value) : std::string("null"); }

}  // namespace

std::string path::str() const {
  std::string out;
  append(out);
  return out;
}

void path::append(std::string& out) const {
  if (parent_) parent_->append(out);
  if (kind_ == kind::index) {
    out.append("[").append(std::to_string(index_)).append("]");
  } else if (kind_ == kind::key) {
    out.append("[").append(name_).append("]");
  } else {
    if (!out.empty() && !name_.empty()) out.push_back('.');
    out.append(name_);
  }
}

std::string go_quote(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte >= 0x07 && byte <= 0x0d) {
      out.push_back('\\');
      out.push_back("abtnvfr"[byte - 0x07]);
    } else if (byte < 0x20 || byte == 0x7f) {
      out.append("\\x").push_back(hex_digits[byte >> 4]);
      out.push_back(hex_digits[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
  return out;
}

void error_list::add(std::string_view type, const path& at, std::string text) {
  causes_.push_back(status_cause{std::string(type), std::move(text), at.str()});
}

void error_list::required(const path& at, std::string_view detail) {
  add("FieldValueRequired", at, body("Required value", {}, detail));
}

void error_list::forbidden(const path& at, std::string_view detail) {
  add("FieldValueForbidden", at, body("Forbidden", {}, detail));
}

void error_list::invalid(const path& at, std::string_view value, std::string_view detail) {
  add("FieldValueInvalid", at, body("Invalid value", go_quote(value), detail));
}

void error_list::invalid(const path& at, std::int64_t value, std::string_view detail) {
  add("FieldValueInvalid", at, body("Invalid value", std::to_string(value), detail));
}

void error_list::invalid(const path& at, bool value, std::string_view detail) {
  add("FieldValueInvalid", at, body("Invalid value", value ? "true" : "false", detail));
}

void error_list::invalid(const path& at, const node* value, std::string_view detail) {
  add("FieldValueInvalid", at, body("Invalid value", json_of(value), detail));
}

void error_list::invalid_json(const path& at, std::string_view json, std::string_view detail) {
  add("FieldValueInvalid", at, body("Invalid value", json, detail));
}

void error_list::invalid_plain(const path& at, std::string_view detail) {
  add("FieldValueInvalid", at, body("Invalid value", {}, detail));
}

void error_list::invalid(const path& at, std::string_view value, const messages& details) {
  for (const auto& detail : details) invalid(at, value, std::string_view(detail));
}

void error_list::invalid(const path& at, std::int64_t value, const messages& details) {
  for (const auto& detail : details) invalid(at, value, std::string_view(detail));
}

void error_list::not_supported(const path& at, std::string_view value, std::span<const std::string_view> supported) {
  add("FieldValueNotSupported", at, body("Unsupported value", go_quote(value), supported_values(supported)));
}

void error_list::not_supported_json(const path& at, std::string_view json,
                                    std::initializer_list<std::string_view> supported) {
  add("FieldValueNotSupported", at,
      body("Unsupported value", json, supported_values({supported.begin(), supported.size()})));
}

void error_list::duplicate(const path& at, std::string_view value) {
  add("FieldValueDuplicate", at, body("Duplicate value", go_quote(value), {}));
}

void error_list::duplicate(const path& at, std::int64_t value) {
  add("FieldValueDuplicate", at, body("Duplicate value", std::to_string(value), {}));
}

void error_list::duplicate(const path& at, const node* value) { duplicate_json(at, json_of(value)); }

void error_list::duplicate_json(const path& at, std::string_view json, std::string_view detail) {
  add("FieldValueDuplicate", at, body("Duplicate value", json, detail));
}

void error_list::not_found(const path& at, std::string_view value, std::string_view detail) {
  add("FieldValueNotFound", at, body("Not found", go_quote(value), detail));
}

void error_list::too_long(const path& at, std::int64_t max_bytes) {
  add("FieldValueTooLong", at,
      body("Too long", {},
           "may not be more than " + std::to_string(max_bytes) + (max_bytes == 1 ? " byte" : " bytes")));
}

void error_list::too_many(const path& at, std::int64_t actual, std::int64_t max_items) {
  add("FieldValueTooMany", at,
      body("Too many", std::to_string(actual),
           "must have at most " + std::to_string(max_items) + (max_items == 1 ? " item" : " items")));
}

void error_list::internal(const path& at, std::string_view detail) {
  add("InternalError", at, body("Internal error", {}, detail));
}

void error_list::append(error_list&& more) {
  causes_.insert(causes_.end(), std::make_move_iterator(more.causes_.begin()),
                 std::make_move_iterator(more.causes_.end()));
}

}  // namespace troupe::api::rules
