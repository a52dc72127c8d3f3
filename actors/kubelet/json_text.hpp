// JSON written by hand, member by member: for patches whose shape is known.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "messages/document.hpp"

namespace troupe::kubelet {

/// Writes JSON objects and lists by hand: members in the order they are given.
class json_text {
 public:
  void open(char bracket) {
    separate();
    text_ += bracket;
  }
  void open(std::string_view key, char bracket) {
    name(key);
    text_ += bracket;
  }
  void close(char bracket) { text_ += bracket; }
  void item(std::string_view value) {
    separate();
    append_json_string(text_, value);
  }
  void put(std::string_view key, std::string_view value) {
    name(key);
    append_json_string(text_, value);
  }
  void put(std::string_view key, const char* value) { put(key, std::string_view(value)); }
  void put(std::string_view key, std::int64_t value) {
    name(key);
    text_ += std::to_string(value);
  }
  void put(std::string_view key, bool value) {
    name(key);
    text_ += value ? "true" : "false";
  }
  void put_null(std::string_view key) {
    name(key);
    text_ += "null";
  }
  void put_if(std::string_view key, std::string_view value) {
    if (!value.empty()) put(key, value);
  }
  std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (!text_.empty() && text_.back() != '{' && text_.back() != '[' && text_.back() != ':') text_ += ',';
  }
  void name(std::string_view key) {
    separate();
    append_json_string(text_, key);
    text_ += ':';
  }
  std::string text_;
};

}  // namespace troupe::kubelet
