// Types of the schema table as OpenAPI schemas: components of a v3 document, definitions of the v2 document.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "actors/api_server/discovery/json_writer.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api {
inline namespace discovery_detail {

/// v3: references sit in allOf beside a default; v2 (Swagger 2.0) knows neither.
enum class openapi_dialect : std::uint8_t { v2, v3 };

/// "io.k8s.api.core.v1.Pod".
std::string definition_name(const schema::type& of);

/// "#/components/schemas/io.k8s.api.core.v1.Pod".
std::string definition_reference(openapi_dialect dialect, std::string_view name);

/// Definitions found on the way from some types: name to schema, sorted. Add roots, then write.
class definition_set {
 public:
  explicit definition_set(openapi_dialect dialect) : dialect_(dialect) {}

  /// Adds the type and all it refers to.
  void add(std::uint16_t type);
  /// Adds a hand-made definition.
  void add(std::string name, std::string json) { definitions_.emplace(std::move(name), std::move(json)); }
  /// Adds {"name":{...},...} as the value of a member or element.
  void write(json_writer& out) const;
  openapi_dialect dialect() const { return dialect_; }

 private:
  void write_type(json_writer& out, const schema::type& from);
  void write_property(json_writer& out, const schema::field& from);
  void write_element(json_writer& out, const schema::field& from, bool with_default);
  void write_reference(json_writer& out, std::string_view name, std::string_view default_json);
  std::string special(schema::value_kind kind, std::string_view field_name);

  openapi_dialect dialect_;
  std::map<std::string, std::string, std::less<>> definitions_;
};

/// Writes the x-kubernetes-group-version-kind object {"group":..,"kind":..,"version":..}.
void write_group_version_kind(json_writer& out, std::string_view group, std::string_view version,
                              std::string_view kind);

}  // namespace discovery_detail
}  // namespace troupe::api
