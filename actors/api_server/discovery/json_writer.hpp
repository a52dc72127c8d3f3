// Writes JSON text front to back, with the commas where they belong.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "messages/document.hpp"

namespace troupe::api {
inline namespace discovery_detail {

/// Appends to a string. Members: key() followed by one value or opened container.
class json_writer {
 public:
  explicit json_writer(std::string& out) : out_(out) {}

  json_writer& open() { return begin('{'); }
  json_writer& close() { return end('}'); }
  json_writer& open_list() { return begin('['); }
  json_writer& close_list() { return end(']'); }

  json_writer& key(std::string_view name) {
    separate();
    append_json_string(out_, name);
    out_ += ':';
    fresh_ = true;
    return *this;
  }
  json_writer& value(std::string_view text) {
    separate();
    append_json_string(out_, text);
    return *this;
  }
  json_writer& value(bool flag) { return raw(flag ? "true" : "false"); }
  json_writer& value(std::int64_t number) { return raw(std::to_string(number)); }
  /// A piece of JSON as it is.
  json_writer& raw(std::string_view json) {
    separate();
    out_ += json;
    return *this;
  }

  json_writer& member(std::string_view name, std::string_view text) { return key(name).value(text); }
  json_writer& member(std::string_view name, const char* text) { return key(name).value(std::string_view(text)); }
  json_writer& member(std::string_view name, bool flag) { return key(name).value(flag); }
  json_writer& member(std::string_view name, std::span<const std::string_view> texts) {
    key(name).open_list();
    for (std::string_view text : texts) value(text);
    return close_list();
  }

 private:
  json_writer& begin(char bracket) {
    separate();
    out_ += bracket;
    fresh_ = true;
    return *this;
  }
  json_writer& end(char bracket) {
    out_ += bracket;
    fresh_ = false;
    return *this;
  }
  void separate() {
    if (!fresh_) out_ += ',';
    fresh_ = false;
  }

  std::string& out_;
  bool fresh_ = true;  // right behind an opening bracket or a key
};

}  // namespace discovery_detail
}  // namespace troupe::api
