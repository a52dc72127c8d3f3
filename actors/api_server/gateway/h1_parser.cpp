// The parser works line by line; a line that arrives whole is parsed where it lies.
#include "actors/api_server/gateway/h1_parser.hpp"

#include <algorithm>
#include <array>

namespace troupe::gateway {

namespace {

/// Token characters of RFC 9110 mapped to lower case; 0 for all others.
constexpr std::array<char, 256> make_token_table() {
  std::array<char, 256> table{};
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = c;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = static_cast<char>(c + 32);
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = c;
  for (char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'})
    table[static_cast<unsigned char>(c)] = c;
  return table;
}
constexpr auto token_table = make_token_table();

bool is_token(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return token_table[static_cast<unsigned char>(c)] != 0; });
}

/// Visible characters and bytes above ASCII; `spaces` admits space and tab too.
bool is_clean(std::string_view text, bool spaces) {
  return std::all_of(text.begin(), text.end(), [spaces](char c) {
    auto b = static_cast<unsigned char>(c);
    return b == ' ' || b == '\t' ? spaces : b > 0x20 && b != 0x7f;
  });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr std::size_t max_chunk_line = 256;

}  // namespace

void h1_parser::fail(std::uint16_t code, std::string text) {
  step_ = step::failed;
  failure_ = {code, std::move(text)};
}

void h1_parser::reset() {
  step_ = step::request_line;
  request_ = {};
  line_.clear();
  head_bytes_ = header_count_ = 0;
  data_left_ = 0;
  has_host_ = false;
}

std::size_t h1_parser::feed(std::string_view data) {
  std::size_t used = 0;
  while (used < data.size() && !complete() && !failed()) {
    auto rest = data.substr(used);
    used += step_ == step::sized_body || step_ == step::chunk_data ? feed_body(rest) : feed_line(rest);
  }
  return used;
}

std::size_t h1_parser::feed_line(std::string_view data) {
  auto end = data.find('\n');
  auto taken = end == std::string_view::npos ? data.size() : end + 1;
  head_bytes_ += taken;
  if (head_bytes_ > bounds_.header_bytes) {
    bool target = step_ == step::request_line;
    fail(target ? 414 : 431, target ? "request line too long" : "header fields too large");
    return taken;
  }
  if (end == std::string_view::npos) {
    line_.append(data);
    return taken;
  }
  std::string_view line = data.substr(0, end);
  if (!line_.empty()) line = line_.append(line);
  if (line.empty() || line.back() != '\r') {
    fail(400, "line does not end in CRLF");
    return taken;
  }
  line.remove_suffix(1);
  on_line(line);
  line_.clear();
  return taken;
}

void h1_parser::on_line(std::string_view line) {
  switch (step_) {
    case step::request_line:
      // One empty line before a request is forgiven, as RFC 9112 asks.
      if (line.empty() && head_bytes_ == 2) return;
      return on_request_line(line);
    case step::header_line:
      return line.empty() ? on_head_end() : on_header_line(line);
    case step::chunk_line:
      return on_chunk_line(line);
    case step::chunk_end:
      if (!line.empty()) return fail(400, "malformed chunked encoding");
      step_ = step::chunk_line;
      return;
    case step::trailer_line:
      if (line.empty()) {
        step_ = step::complete;
        return;
      }
      return on_header_line(line);
    default:
      return fail(500, "parser in a wrong state");
  }
}

void h1_parser::on_request_line(std::string_view line) {
  auto first = line.find(' ');
  auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return fail(400, "malformed request line");
  auto method = line.substr(0, first), target = line.substr(first + 1, last - first - 1),
       version = line.substr(last + 1);
  if (!is_token(method)) return fail(400, "malformed method");
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.')
    return fail(400, "malformed HTTP version");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return fail(505, "unsupported protocol version");
  request_.http_1_0 = version == "HTTP/1.0";
  request_.keep_alive = !request_.http_1_0;
  if (target.empty() || !is_clean(target, false)) return fail(400, "malformed request target");
  request_.call.verb = method_named(method);
  for (std::string_view scheme : {"http://", "https://"})
    if (target.starts_with(scheme)) {
      auto slash = target.find('/', scheme.size());
      target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
    }
  if (target.front() != '/' && target != "*") return fail(400, "malformed request target");
  request_.call.target = target;
  step_ = step::header_line;
}

void h1_parser::on_header_line(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') return fail(400, "folded header");
  if (++header_count_ > bounds_.header_count) return fail(431, "too many header fields");
  auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return fail(400, "malformed header");
  name_.resize(colon);
  for (std::size_t i = 0; i < colon; ++i) {
    char c = token_table[static_cast<unsigned char>(line[i])];
    if (c == 0) return fail(400, "invalid header name");
    name_[i] = c;
  }
  auto value = trimmed(line.substr(colon + 1));
  if (!is_clean(value, true)) return fail(400, "invalid header value");
  if (step_ == step::header_line) on_header(name_, value);  // trailers are checked and forgotten
}

void h1_parser::on_header(std::string_view name, std::string_view value) {
  if (name == "host") {
    if (has_host_) return fail(400, "too many Host headers");
    has_host_ = true;
  } else if (name == "content-length") {
    on_content_length(value);
  } else if (name == "transfer-encoding") {
    on_transfer_encoding(value);
  } else if (name == "connection") {
    for_each_token(value, [this](std::string_view token) {
      if (equals_lower(token, "close")) request_.keep_alive = false;
      if (equals_lower(token, "keep-alive") && request_.http_1_0) request_.keep_alive = true;
      if (equals_lower(token, "upgrade")) request_.wants_upgrade = true;
    });
  } else if (name == "expect") {
    if (!equals_lower(value, "100-continue")) return fail(417, "unknown expectation");
    request_.expects_continue = !request_.http_1_0;
  } else {
    take_header(request_, name, value);
  }
}

void h1_parser::on_content_length(std::string_view value) {
  if (request_.content_length) return fail(400, "too many Content-Length headers");
  if (value.empty() || value.size() > 18) return fail(400, "bad Content-Length");
  std::uint64_t length = 0;
  for (char c : value) {
    if (c < '0' || c > '9') return fail(400, "bad Content-Length");
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  request_.content_length = length;
}

void h1_parser::on_transfer_encoding(std::string_view value) {
  if (request_.chunked) return fail(400, "too many transfer encodings");
  if (request_.http_1_0) return fail(400, "unexpected Transfer-Encoding");
  if (!equals_lower(value, "chunked")) return fail(501, "unsupported transfer encoding");
  request_.chunked = true;
}

void h1_parser::on_head_end() {
  if (!has_host_ && !request_.http_1_0) return fail(400, "missing required Host header");
  if (request_.chunked && request_.content_length) return fail(400, "both Content-Length and Transfer-Encoding");
  if (request_.chunked) {
    step_ = step::chunk_line;
  } else if (request_.content_length && *request_.content_length > 0) {
    begin_data(*request_.content_length, step::sized_body);
  } else {
    step_ = step::complete;
  }
}

void h1_parser::begin_data(std::uint64_t size, step next) {
  // Compared without a sum that could wrap.
  if (size > bounds_.body_bytes - request_.body.size())
    return fail(413, "limit is " + std::to_string(bounds_.body_bytes));
  data_left_ = size;
  step_ = next;
  // A client that only promises a body gets no memory for it.
  request_.body.reserve(request_.body.size() + std::min<std::size_t>(size, 64 * 1024));
}

void h1_parser::on_chunk_line(std::string_view line) {
  if (line.size() > max_chunk_line) return fail(400, "chunk header too long");
  std::uint64_t size = 0;
  std::size_t digits = 0;
  while (digits < line.size() && hex_digit(line[digits]) >= 0) {
    if (digits == 16) return fail(400, "chunk size too large");
    size = size * 16 + static_cast<std::uint64_t>(hex_digit(line[digits++]));
  }
  auto rest = trimmed(line.substr(digits));
  if (digits == 0 || (!rest.empty() && (rest.front() != ';' || !is_clean(rest, true))))
    return fail(400, "malformed chunked encoding");
  // Chunk headers count against the header bound only as far as they are large for their data.
  auto forgiven = std::min<std::uint64_t>(line.size() + 4, 16 + 2 * std::min<std::uint64_t>(size, 1024));
  head_bytes_ -= std::min<std::size_t>(head_bytes_, forgiven);
  if (size == 0) {
    step_ = step::trailer_line;
    return;
  }
  begin_data(size, step::chunk_data);
}

std::size_t h1_parser::feed_body(std::string_view data) {
  auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(data_left_, data.size()));
  request_.body.append(data.substr(0, taken));
  data_left_ -= taken;
  if (data_left_ == 0) step_ = step_ == step::chunk_data ? step::chunk_end : step::complete;
  return taken;
}

}  // namespace troupe::gateway
