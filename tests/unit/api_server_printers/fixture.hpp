// Objects from JSON and the cells that they print as.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "actors/api_server/printers/printers.hpp"
#include "actors/api_server/printers/rows.hpp"
#include "messages/document.hpp"
#include "messages/object.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api {

/// 2026-01-02T00:00:00Z, the present of these tests.
constexpr std::int64_t test_now_ms = 1767312000000;

inline std::uint16_t resource_of(const node& root) {
  std::string_view api_version = root.find("apiVersion")->string();
  auto slash = api_version.find('/');
  std::string_view group = slash == std::string_view::npos ? "" : api_version.substr(0, slash);
  std::string_view version = slash == std::string_view::npos ? api_version : api_version.substr(slash + 1);
  return schema::find_kind(group, version, root.find("kind")->string());
}

/// The text with < and > in place of the escapes that Go's JSON has for them.
inline std::string readable(std::string text) {
  for (auto [escape, plain] : {std::pair("\\u003c", "<"), std::pair("\\u003e", ">")})
    for (auto at = text.find(escape); at != std::string::npos; at = text.find(escape)) text.replace(at, 6, plain);
  return text;
}

/// The cells of an object given as YAML, as one (readable) JSON array.
inline std::string cells(const std::string& yaml) {
  auto doc = document::parse_yaml(yaml);
  if (!doc) throw std::runtime_error(doc.error().message);
  const schema::resource& resource = schema::resources()[resource_of(doc->root())];
  std::string out = "[";
  table_row row(out, test_now_ms);
  row_function_of(resource.group, resource.kind)(row, doc->root());
  if (row.count() != resource.columns.size()) throw std::runtime_error("cells do not fit the columns");
  return readable(out + "]");
}

inline object_ptr object_from(const std::string& json, std::uint64_t revision) {
  auto doc = document::parse(json);
  if (!doc) throw std::runtime_error(doc.error().message);
  auto made = make_object(resource_of(doc->root()), json, revision, revision);
  if (!made) throw std::runtime_error(made.error().message);
  return *made;
}

}  // namespace troupe::api
