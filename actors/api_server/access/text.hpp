// Small texts as Go prints them, and the 403 Status that authorizers give.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/api_server/access/access.hpp"
#include "messages/status.hpp"

namespace troupe::api {
inline namespace access_detail {

/// The string as Go's %q writes it: in double quotes, with escapes.
std::string go_quote(std::string_view text);

/// A list of strings as Go's %q writes it: ["a" "b"].
std::string go_quote_list(const std::vector<std::string_view>& texts);

/// "deployments.apps", or "pods" where the group is empty (schema.GroupResource's String).
std::string group_resource_text(std::string_view group, std::string_view resource);

/// A 403 as apimachinery's NewForbidden words it: `pods "x" is forbidden: <why>`; without a name `pods is forbidden:
/// <why>`; without a resource `forbidden: <why>`.
status forbidden_status(std::string_view group, std::string_view resource, std::string_view name, std::string_view why);

/// `User "u" cannot list resource "pods" in API group "" in the namespace "n"`, with &, < and > escaped for HTML.
std::string forbidden_message(const user_info& user, const attributes& what);

/// The whole 403 for a request that an authorizer did not allow; its reason, if any, follows after a colon.
status forbidden_request(const user_info& user, const attributes& what, std::string_view detail);

/// Several errors as Go's aggregate prints them: the only one as it is, else "[a, b]"; repeated ones once.
std::string aggregate_text(const std::vector<std::string>& errors);

}  // namespace access_detail
}  // namespace troupe::api
