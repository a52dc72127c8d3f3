// The row function of each kind: its cells in the order of the schema's columns.
#pragma once

#include <string_view>

#include "actors/api_server/printers/cells.hpp"

namespace troupe::api {
inline namespace printing_detail {

using row_function = void (*)(table_row&, const node& object);

/// The row function of a kind ("apps", "Deployment"); for kinds without columns of their own one that prints name and
/// creation time.
row_function row_function_of(std::string_view group, std::string_view kind);

/// Conditions of a table row as JSON (a finished Pod is "Completed"); empty: none.
std::string_view row_conditions(std::string_view group, std::string_view kind, const node& object);

void print_pod(table_row& out, const node& object);
void print_node(table_row& out, const node& object);
void print_job(table_row& out, const node& object);
void print_event(table_row& out, const node& object);
void print_service(table_row& out, const node& object);
void print_endpoints(table_row& out, const node& object);
void print_endpoint_slice(table_row& out, const node& object);
void print_ingress(table_row& out, const node& object);
void print_binding(table_row& out, const node& object);
void print_persistent_volume(table_row& out, const node& object);
void print_persistent_volume_claim(table_row& out, const node& object);
void print_autoscaler(table_row& out, const node& object);
void print_quota(table_row& out, const node& object);
void print_resource_claim(table_row& out, const node& object);
void print_signing_request(table_row& out, const node& object);

}  // namespace printing_detail
}  // namespace troupe::api
