// Objects as meta.k8s.io/v1 Table and PartialObjectMetadata: what kubectl get prints, and what metadata informers read.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "actors/api_server/pipeline/request_context.hpp"
#include "messages/api_server.hpp"
#include "messages/document.hpp"
#include "messages/object.hpp"

namespace troupe::api {

/// metadata of a list.
struct list_meta {
  std::uint64_t revision = 0;
  std::string_view continue_token;         // empty: none
  std::int64_t remaining_item_count = -1;  // -1: absent
};

/// Appends a whole Table of the objects. `headers`: with columnDefinitions (a watch sends them with its first event
/// only). `now_ms` is the wall clock for ages.
void append_table(std::string& out, std::uint16_t resource, std::span<const object_ptr> objects, table_objects include,
                  bool headers, const list_meta& meta, std::int64_t now_ms);

/// Appends the Table of one autoscaling/v1 Scale, which is a subresource's object and in no resource's list.
void append_scale_table(std::string& out, const node& scale, table_objects include, std::int64_t now_ms);

/// Appends one PartialObjectMetadata.
void append_partial_metadata(std::string& out, const object& from);
/// Appends a PartialObjectMetadataList.
void append_partial_metadata_list(std::string& out, std::span<const object_ptr> objects, const list_meta& meta);

/// Appends one line of a watch response, newline included: {"type":"ADDED","object":{...}}. `resource` gives kind and
/// apiVersion of bookmarks. `first`: nothing was sent on this watch before (tables then carry their headers).
void append_watch_event(std::string& out, std::uint16_t resource, const watch_event& event, watch_format format,
                        table_objects include, bool first, std::int64_t now_ms);
/// Appends {"type":"ERROR","object":Status} and a newline.
void append_watch_error(std::string& out, const status& error);

}  // namespace troupe::api
