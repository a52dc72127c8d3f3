// What HTTP/1.1 and HTTP/2 share: a request as received, status texts, the head of an answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/api_server.hpp"

namespace troupe::gateway {

/// One request of a client. `call` is what the api_server gets; its id, user and auth_error are filled in later.
struct http_request {
  api::request call;
  std::string body;
  std::string audit_id;  // the client's Audit-ID header; empty: the gateway makes one
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool http_1_0 = false;
  bool keep_alive = true;
  bool expects_continue = false;  // Expect: 100-continue
  bool wants_upgrade = false;     // Connection: Upgrade
  bool accepts_gzip = false;
};

/// A request that cannot be served as HTTP: the code to answer and why.
struct http_failure {
  std::uint16_t code = 0;  // 0: none
  std::string text;
};

/// The method of that exact name; `other` for any other.
api::method method_named(std::string_view name);

/// Stores a header that means the same in both protocols (accept, user-agent, authorization, ...). `name` in lower
/// case. Headers nobody reads are dropped.
void take_header(http_request& into, std::string_view name, std::string_view value);

/// Whether an Accept-Encoding value admits gzip.
bool accepts_gzip(std::string_view accept_encoding);

/// "OK" for 200; empty for codes without a standard text.
std::string_view reason_phrase(std::uint16_t code);

/// Whether answers of this code carry no body by definition (1xx, 204, 304).
bool is_bodyless(std::uint16_t code);

/// An IMF-fixdate ("Sun, 06 Nov 1994 08:49:37 GMT") of milliseconds since the epoch.
std::string http_date(std::uint64_t ms);

/// Case-insensitive equality of ASCII; `lower` is in lower case already.
bool equals_lower(std::string_view text, std::string_view lower);

/// Calls `f` with each element of a comma-separated header value, trimmed, empty ones left out.
template <class F>
void for_each_token(std::string_view value, F f) {
  while (!value.empty()) {
    auto comma = value.find(',');
    auto token = value.substr(0, comma);
    value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
    while (!token.empty() && (token.front() == ' ' || token.front() == '\t')) token.remove_prefix(1);
    while (!token.empty() && (token.back() == ' ' || token.back() == '\t')) token.remove_suffix(1);
    if (!token.empty()) f(token);
  }
}

/// The value of a query parameter as it stands (not decoded), or nullopt. `target` is path and query.
std::optional<std::string_view> query_parameter(std::string_view target, std::string_view name);

/// Whether Kubernetes counts the request as long-running: watches, logs, exec, attach, port-forward, proxy. Such
/// requests have no deadline and are not counted against the in-flight limits.
bool is_long_running(const api::request& call);

/// Whether the method may change something.
bool is_mutating(api::method verb);

}  // namespace troupe::gateway
