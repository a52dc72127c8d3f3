// One request as the stages of the pipeline see it: parsed target, typed options, the user, and what it gathers on its
// way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/api_server.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api {

/// What a request does, in the words RBAC uses (verb_name). `nonresource` is every path that names no resource.
enum class request_verb : std::uint8_t {
  get,
  list,
  watch,
  create,
  update,
  patch,
  delete_,
  deletecollection,
  nonresource
};

/// "get", "list", ... "deletecollection"; for nonresource the HTTP method in lower case belongs there instead.
std::string_view verb_name(request_verb verb);

/// Form of the answer's objects that the Accept header asked for.
enum class output_form : std::uint8_t { object, table, partial_metadata };

/// fieldValidation of a write; the server's default is warn.
enum class field_validation : std::uint8_t { ignore, warn, strict };

/// resourceVersionMatch of a list or watch.
enum class version_match : std::uint8_t { unset, not_older_than, exact };

/// includeObject of a Table.
enum class table_objects : std::uint8_t { metadata, none, object };

/// The query's options (metav1 ListOptions, GetOptions, CreateOptions, ...). Absent ones keep the values shown here.
struct query_options {
  std::string label_selector;
  std::string field_selector;
  std::uint64_t limit = 0;  // 0: no limit
  std::string continue_token;
  std::optional<std::string> resource_version;  // as sent; unset differs from "0"
  version_match match = version_match::unset;
  std::optional<std::int64_t> timeout_seconds;
  bool watch = false;
  std::optional<bool> send_initial_events;
  bool allow_bookmarks = false;
  bool dry_run = false;  // dryRun=All
  std::string field_manager;
  field_validation validation = field_validation::warn;
  bool force = false;
  bool pretty = false;
  std::optional<std::int64_t> grace_period_seconds;
  std::string propagation_policy;  // "", Orphan, Background, Foreground
  std::optional<bool> orphan_dependents;
  table_objects include_object = table_objects::metadata;
  /// All pairs of the query as decoded, for subresources with options of their own (pods/log, exec).
  std::vector<std::pair<std::string, std::string>> raw;
};

/// A request between its first stage and its answer. Lives as long as the request; used by one worker only.
struct request_context {
  std::uint64_t id = 0;  // the request's, for the answer

  // Target.
  request_verb verb = request_verb::nonresource;
  method http = method::get;
  std::string path;                                  // without the query
  std::string_view group, version;                   // of the resource; views into the schema table
  std::uint16_t resource = schema::no_index;         // index into schema::resources(); no_index for nonresource
  const schema::subresource* subresource = nullptr;  // null for the main resource
  std::string namespace_name;                        // empty: cluster scope or all namespaces
  std::string name;                                  // empty: the collection
  std::string subpath;                               // rest of the path behind a proxy subresource
  std::string selected_name;  // of list, watch, deletecollection: what a metadata.name field selector fixes
  query_options options;

  // Wanted form of the answer.
  output_form form = output_form::object;
  bool yaml = false;

  // Who asks.
  user_ptr user;       // after impersonation
  user_ptr real_user;  // who was authenticated; differs from `user` when impersonating

  // Inputs that are no part of the request.
  std::int64_t now_ms = 0;  // wall clock at arrival, milliseconds since 1970

  /// Texts for `Warning: 299 - "..."` headers, in order, without duplicates.
  std::vector<std::string> warnings;

  /// The schema row; only where resource != no_index.
  const schema::resource& info() const { return schema::resources()[resource]; }
  /// Name of the subresource or "".
  std::string_view subresource_name() const { return subresource ? subresource->name : std::string_view(); }
  /// Name for plain errors as Kubernetes puts them: the plural ("pods").
  std::string_view plural() const { return info().plural; }
  /// Adds a warning unless it is there already.
  void warn(std::string text);
};

}  // namespace troupe::api
