// Rows of tests/unit/messages/golden, see the README there.
#pragma once

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "messages/document.hpp"

/// A file of golden rows.
inline troupe::document golden(const std::string& name) {
  std::string path = TROUPE_SOURCE_DIR;
  path.append("/tests/unit/messages/golden/").append(name);
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  auto parsed = troupe::document::parse(text.str());
  if (!parsed || parsed->root().empty()) throw std::runtime_error("no golden rows in " + name);
  return std::move(*parsed);
}

/// A row's text; empty where it has none.
inline std::string text_of(const troupe::node& row, std::string_view key) {
  const troupe::node* found = row.find(key);
  return found ? std::string(found->string()) : std::string();
}
