// Which groups, versions and resources there are, in the legacy and the aggregated form of discovery.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "messages/schema/schema.hpp"

namespace troupe::api {

/// The group-versions that are served, in discovery order: those of the schema with at least one resource, without
/// metrics.k8s.io, which nothing answers yet.
std::vector<schema::group_version> served_versions();

/// The resources of a group-version, sorted by plural.
std::vector<const schema::resource*> served_resources(std::string_view group, std::string_view version);

/// The verbs as discovery lists them, sorted.
std::vector<std::string_view> verb_texts(std::uint16_t verbs);

/// GET /api: APIVersions.
std::string api_versions_document(std::string_view server_address);
/// GET /apis: APIGroupList.
std::string group_list_document();
/// GET /apis/GROUP: APIGroup; empty for an unknown group.
std::string group_document(std::string_view group);
/// GET /api/v1 and /apis/GROUP/VERSION: APIResourceList; empty for an unknown one.
std::string resource_list_document(std::string_view group, std::string_view version);
/// APIGroupDiscoveryList (KEP-3352) of the core group or of all others. `version` is v2 or v2beta1.
std::string aggregated_document(bool core, std::string_view version);

}  // namespace troupe::api
