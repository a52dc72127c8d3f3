// HTTP/1.1: requests in, answers out, deadlines of slow clients.
#include "actors/api_server/gateway/h1_session.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace troupe::gateway {

namespace {

constexpr std::size_t max_input_ahead = 64 * 1024;

void append_decimal(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits{};
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

/// "content-type" as "Content-Type", the way Go's servers write it.
void append_canonical(std::string& out, std::string_view name) {
  bool upper = true;
  for (char c : name) {
    if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    if (!upper && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    upper = c == '-';
    out += c;
  }
}

}  // namespace

h1_session::h1_session(host& by, connection& on) : host_(by), connection_(on), parser_(by.bounds()) { await_request(); }

h1_session::~h1_session() {
  if (current_) host_.release(*current_);
}

void h1_session::await_request() { deadline_us_ = host_.now_us() + in_us(host_.bounds().idle); }

void h1_session::receive(std::string_view data) {
  if (closing_ && !current_) return;
  if (current_ && current_->tunnel) {
    current_->tunnel->receive(data);
    host_.flush_soon(connection_);
    return;
  }
  if (current_ || !input_.empty()) {
    input_.append(data);
    return;
  }
  parse(data);
}

bool h1_session::wants_input() const {
  if (current_ && current_->tunnel) return current_->tunnel->wants_input();
  return input_.size() < max_input_ahead;
}

bool h1_session::is_patient() const {
  return current_ &&
         (current_->tunnel || (current_->watch && current_->watch->head().format == api::watch_format::raw));
}

bool h1_session::input_ended() {
  closing_ = true;
  input_.clear();
  return current_ != nullptr && current_->watch == nullptr && !current_->tunnel;
}

void h1_session::parse(std::string_view data) {
  bool was_idle = parser_.idle();
  while (!data.empty() && !current_ && !closing_) {
    data.remove_prefix(parser_.feed(data));
    if (was_idle && !parser_.idle()) deadline_us_ = host_.now_us() + in_us(host_.bounds().header_read);
    was_idle = false;
    if (parser_.failed()) return on_failure();
    if (parser_.head_complete() && !head_seen_) on_head();
    if (!parser_.complete()) continue;
    auto& request = parser_.request();
    keep_alive_ = request.keep_alive;
    http_1_0_ = request.http_1_0;
    current_ = &host_.begin(*this, connection_.peer(), 0, std::move(request));
  }
  if (!data.empty() && current_) input_.assign(data);
}

void h1_session::on_head() {
  head_seen_ = true;
  deadline_us_ = host_.now_us() + in_us(host_.bounds().body_read);
  if (!parser_.complete() && parser_.request().expects_continue) {
    ready_ += "HTTP/1.1 100 Continue\r\n\r\n";
    host_.flush_soon(connection_);
  }
}

void h1_session::on_failure() {
  count(host_.counts().protocol_errors);
  host_.tell_refused(connection_, "request", parser_.failure().text);
  if (parser_.failure().code != 413) return refuse_plainly(parser_.failure().code, parser_.failure().text);
  keep_alive_ = false;
  http_1_0_ = parser_.request().http_1_0;
  auto request = std::move(parser_.request());
  request.body.clear();
  // Who is not let in learns that first: the pipeline's answer is 401, whatever the body.
  if (connection_.peer().error.empty()) {
    auto why = make_status(reason::request_entity_too_large, "Request entity too large: " + parser_.failure().text);
    current_ = &host_.refuse(*this, 0, std::move(request), why);
  } else {
    current_ = &host_.begin(*this, connection_.peer(), 0, std::move(request));
  }
}

void h1_session::refuse_plainly(std::uint16_t code, std::string_view text) {
  std::string body = std::to_string(code) + " " + std::string(reason_phrase(code));
  if (!text.empty()) body += ": " + std::string(text);
  ready_ += "HTTP/1.1 " + std::to_string(code) + " " + std::string(reason_phrase(code)) +
            "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " + std::to_string(body.size()) +
            "\r\nConnection: close\r\n\r\n" + body;
  closing_ = true;
  host_.flush_soon(connection_);
}

void h1_session::answer(exchange& which) {
  if (which.tunnel) return upgrade(which);
  if (closing_ || draining_) keep_alive_ = false;
  write_head(which);
  host_.flush_soon(connection_);
}

void h1_session::upgrade(exchange& x) {
  keep_alive_ = false;
  was_upgraded_ = true;
  ready_ += upgrade_head(x.upgrade);
  // A client may send ahead of the answer.
  if (!input_.empty()) x.tunnel->receive(std::exchange(input_, {}));
  if (draining_) x.tunnel->leave();
  host_.flush_soon(connection_);
}

void h1_session::append_stream(std::string& out, std::size_t room) {
  current_->tunnel->fill(out, room);
  if (current_->tunnel->finished()) end_exchange();
}

void h1_session::write_head(const exchange& x) {
  auto code = x.answer.code;
  bool bodyless = is_bodyless(code);
  chunked_ = !bodyless && !x.length_known && !http_1_0_;
  if (!x.length_known && http_1_0_) keep_alive_ = false;
  ready_ += "HTTP/1.1 ";
  append_decimal(ready_, code);
  ready_ += ' ';
  ready_ += reason_phrase(code);
  ready_ += "\r\n";
  for_each_answer_header(x, host_, [this](std::string_view name, std::string_view value) {
    append_canonical(ready_, name);
    ready_ += ": ";
    ready_ += value;
    ready_ += "\r\n";
  });
  if (chunked_) {
    ready_ += "Transfer-Encoding: chunked\r\n";
  } else if (x.length_known && !bodyless) {
    ready_ += "Content-Length: ";
    append_decimal(ready_, x.length);
    ready_ += "\r\n";
  }
  if (!keep_alive_)
    ready_ += "Connection: close\r\n";
  else if (http_1_0_)
    ready_ += "Connection: keep-alive\r\n";
  ready_ += "\r\n";
}

void h1_session::resume(exchange&) { host_.flush_soon(connection_); }

void h1_session::cut(exchange&) { connection_.kill(); }

void h1_session::fill(std::string& out, std::size_t room) {
  if (!current_ && !input_.empty()) parse(std::exchange(input_, {}));
  if (!ready_.empty()) {
    out += ready_;
    ready_.clear();
  }
  if (current_ && current_->tunnel)
    append_stream(out, room);
  else if (current_ && current_->answered)
    append_body(out, room);
}

void h1_session::append_body(std::string& out, std::size_t room) {
  auto& x = *current_;
  if (x.is_head || is_bodyless(x.answer.code)) return end_exchange();
  while (out.size() < room) {
    auto size = std::min(x.body.available(room - out.size()), room - out.size());
    if (size == 0) break;
    if (chunked_) {
      std::array<char, 16> digits{};
      out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), size, 16).ptr);
      out += "\r\n";
    }
    x.body.read(out, size);
    if (chunked_) out += "\r\n";
  }
  if (!x.body.finished()) return;
  if (chunked_) out += "0\r\n\r\n";
  end_exchange();
}

void h1_session::end_exchange() {
  host_.release(*std::exchange(current_, nullptr));
  head_seen_ = false;
  if (!keep_alive_ || draining_) closing_ = true;
  if (!parser_.failed()) parser_.reset();
  if (closing_) return;
  await_request();
}

void h1_session::drain() {
  draining_ = true;
  if (current_ && current_->tunnel) current_->tunnel->leave();
  if (!current_ && parser_.idle()) closing_ = true;
  host_.flush_soon(connection_);
}

void h1_session::tick(std::uint64_t now_us) {
  if (current_ && current_->tunnel) {
    current_->tunnel->tick(now_us);
    host_.flush_soon(connection_);
  }
  if (current_ || closing_ || now_us < deadline_us_) return;
  if (parser_.idle()) {
    closing_ = true;
    host_.flush_soon(connection_);
    return;
  }
  count(host_.counts().protocol_errors);
  host_.tell_refused(connection_, "slow_request", "the request was not complete in time");
  refuse_plainly(408, "");
}

}  // namespace troupe::gateway
