// Header semantics shared by both protocols.
#include "actors/api_server/gateway/http.hpp"

#include <array>
#include <cstdio>

namespace troupe::gateway {

api::method method_named(std::string_view name) {
  if (name == "GET") return api::method::get;
  if (name == "PUT") return api::method::put;
  if (name == "POST") return api::method::post;
  if (name == "PATCH") return api::method::patch;
  if (name == "DELETE") return api::method::del;
  if (name == "HEAD") return api::method::head;
  if (name == "OPTIONS") return api::method::options;
  return api::method::other;
}

namespace {

/// Headers the pipeline judges, besides impersonate-*.
bool passes_on(std::string_view name) {
  return name == "authorization" || name == "accept-encoding" || name == "if-none-match" || name == "upgrade" ||
         name.starts_with("impersonate-") || name.starts_with("sec-websocket-") || name == "x-stream-protocol-version";
}

/// A client's Audit-ID is echoed, so it must be short and plain.
bool is_plain_id(std::string_view value) {
  if (value.empty() || value.size() > 64) return false;
  for (char c : value)
    if (c <= ' ' || c > '~') return false;
  return true;
}

void join(std::string& into, std::string_view value) {
  if (!into.empty()) into += ", ";
  into += value;
}

}  // namespace

void take_header(http_request& into, std::string_view name, std::string_view value) {
  auto& call = into.call;
  if (name == "accept") return join(call.accept, value);
  if (name == "user-agent") return call.user_agent.empty() ? void(call.user_agent = value) : void();
  if (name == "content-type") return call.content_type.empty() ? void(call.content_type = value) : void();
  if (name == "audit-id") {
    if (is_plain_id(value)) into.audit_id = value;
    return;
  }
  if (!passes_on(name)) return;
  if (name == "accept-encoding") into.accepts_gzip = into.accepts_gzip || accepts_gzip(value);
  call.headers.emplace_back(name, value);
}

bool equals_lower(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (c != lower[i]) return false;
  }
  return true;
}

bool accepts_gzip(std::string_view accept_encoding) {
  bool yes = false;
  for_each_token(accept_encoding, [&](std::string_view token) {
    auto semicolon = token.find(';');
    auto coding = token.substr(0, semicolon);
    while (!coding.empty() && coding.back() == ' ') coding.remove_suffix(1);
    if (!equals_lower(coding, "gzip")) return;
    auto quality = semicolon == std::string_view::npos ? std::string_view() : token.substr(semicolon + 1);
    auto digits = quality.find("q=");
    yes = digits == std::string_view::npos || quality.find_first_of("123456789", digits + 2) != std::string_view::npos;
  });
  return yes;
}

std::string_view reason_phrase(std::uint16_t code) {
  switch (code) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Request Entity Too Large";
    case 414:
      return "Request URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Entity";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

bool is_bodyless(std::uint16_t code) { return code < 200 || code == 204 || code == 304; }

std::string http_date(std::uint64_t ms) {
  static constexpr std::array days{"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
  static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  auto seconds = ms / 1000;
  auto day_number = seconds / 86400, in_day = seconds % 86400;
  // Civil date from a day number, counting years from March so that the leap day ends one.
  auto shifted = day_number + 719468;
  auto era = shifted / 146097, day_of_era = shifted % 146097;
  auto year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  auto day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  auto month = (5 * day_of_year + 2) / 153;
  auto day = day_of_year - (153 * month + 2) / 5 + 1;
  auto calendar_month = month < 10 ? month + 3 : month - 9;
  auto year = year_of_era + era * 400 + (calendar_month <= 2 ? 1 : 0);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02u %s %04u %02u:%02u:%02u GMT", days[day_number % 7],
                static_cast<unsigned>(day), months[calendar_month - 1], static_cast<unsigned>(year),
                static_cast<unsigned>(in_day / 3600), static_cast<unsigned>(in_day / 60 % 60),
                static_cast<unsigned>(in_day % 60));
  return text.data();
}

std::optional<std::string_view> query_parameter(std::string_view target, std::string_view name) {
  auto mark = target.find('?');
  if (mark == std::string_view::npos) return std::nullopt;
  auto rest = target.substr(mark + 1);
  while (!rest.empty()) {
    auto end = rest.find('&');
    auto pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    auto equals = pair.find('=');
    if (pair.substr(0, equals) != name) continue;
    return equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
  }
  return std::nullopt;
}

bool is_long_running(const api::request& call) {
  std::string_view target = call.target;
  auto path = target.substr(0, target.find('?'));
  if (call.verb == api::method::get && path.size() < target.size()) {
    auto watch = query_parameter(target, "watch");
    if (watch && *watch != "0" && *watch != "false") return true;
  }
  if (path.find("/watch/") != std::string_view::npos) return true;
  auto last = path.substr(path.rfind('/') + 1);
  return last == "log" || last == "exec" || last == "attach" || last == "portforward" || last == "proxy" ||
         path.find("/proxy/") != std::string_view::npos;
}

bool is_mutating(api::method verb) {
  return verb != api::method::get && verb != api::method::head && verb != api::method::options;
}

}  // namespace troupe::gateway
