// nghttp2 does frames, HPACK, flow control and the HTTP rules; this file maps streams to exchanges and holds the
// bounds.
#include "actors/api_server/gateway/h2_session.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

namespace troupe::gateway {

namespace {

constexpr std::size_t data_frame_bytes = 16 * 1024 - 64;  // with its head it fits one TLS record
constexpr std::int32_t stream_window = 1 << 20;
constexpr std::int32_t connection_window = 4 << 20;
constexpr std::size_t max_unread_body = 16 << 20;  // of a refused request, in bytes

std::string_view view_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

nghttp2_nv pair_of(std::string_view name, std::string_view value) {
  auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));  // NOLINT: nghttp2 copies and never writes
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

bool ends_stream(const nghttp2_frame* frame) { return (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0; }

}  // namespace

/// nghttp2's callbacks; each calls one member function.
struct h2_session::callbacks {
  static h2_session& self(void* user) { return *static_cast<h2_session*>(user); }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    return self(user).on_begin(frame->hd.stream_id);
  }
  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                    const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    auto* s = self(user).find(frame->hd.stream_id);
    return s ? self(user).on_header(*s, view_of(name, name_size), view_of(value, value_size)) : 0;
  }
  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    bool headers = frame->hd.type == NGHTTP2_HEADERS;
    if (!headers && frame->hd.type != NGHTTP2_DATA) return 0;
    auto* s = self(user).find(frame->hd.stream_id);
    if (s && headers && frame->headers.cat == NGHTTP2_HCAT_REQUEST) self(user).on_head(*s);
    if (s && ends_stream(frame)) self(user).on_end(*s);
    return 0;
  }
  static int data_chunk(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                        void* user) {
    if (auto* s = self(user).find(id)) self(user).on_data(*s, view_of(data, size));
    return 0;
  }
  static int stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    self(user).on_closed(id);
    return 0;
  }
  static ssize_t send(nghttp2_session*, const std::uint8_t* data, std::size_t size, int, void* user) {
    auto& me = self(user);
    if (me.out_->size() >= me.room_) return NGHTTP2_ERR_WOULDBLOCK;
    me.out_->append(view_of(data, size));
    return static_cast<ssize_t>(size);
  }
  static ssize_t data_length(nghttp2_session*, std::uint8_t, std::int32_t, std::int32_t session_window,
                             std::int32_t window, std::uint32_t, void*) {
    return std::min({session_window, window, static_cast<std::int32_t>(data_frame_bytes)});
  }
  static ssize_t read(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t length, std::uint32_t* flags,
                      nghttp2_data_source* source, void* user) {
    return self(user).read_length(*static_cast<stream*>(source->ptr), length, flags);
  }
  static int send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head, std::size_t length,
                       nghttp2_data_source* source, void* user) {
    return self(user).send_data(*static_cast<stream*>(source->ptr), head, length);
  }

  /// Made once; nghttp2 copies them into each session.
  static nghttp2_session_callbacks* shared() {
    static nghttp2_session_callbacks* made = [] {
      nghttp2_session_callbacks* c = nullptr;
      nghttp2_session_callbacks_new(&c);
      nghttp2_session_callbacks_set_on_begin_headers_callback(c, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(c, header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(c, frame_received);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, data_chunk);
      nghttp2_session_callbacks_set_on_stream_close_callback(c, stream_closed);
      nghttp2_session_callbacks_set_send_callback(c, send);
      nghttp2_session_callbacks_set_data_source_read_length_callback(c, data_length);
      nghttp2_session_callbacks_set_send_data_callback(c, send_data);
      return c;
    }();
    return made;
  }

  static nghttp2_option* options() {
    static nghttp2_option* made = [] {
      nghttp2_option* o = nullptr;
      nghttp2_option_new(&o);
      nghttp2_option_set_no_closed_streams(o, 1);
      // Rapid reset: this many cancelled streams at once, then this many a second, else GOAWAY.
      nghttp2_option_set_stream_reset_rate_limit(o, 1000, 33);
      nghttp2_option_set_max_outbound_ack(o, 256);  // floods of pings and settings
      return o;
    }();
    return made;
  }
};

h2_session::h2_session(host& by, connection& on) : host_(by), connection_(on) {
  nghttp2_session_server_new2(&session_, callbacks::shared(), this, callbacks::options());
  const auto& bounds = host_.bounds();
  std::array settings{
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, bounds.streams},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(bounds.header_bytes)}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, connection_window);
  deadline_us_ = host_.now_us() + in_us(bounds.idle);
}

h2_session::~h2_session() {
  for (auto& [id, s] : streams_)
    if (s->current) host_.release(*s->current);
  nghttp2_session_del(session_);
}

h2_session::stream* h2_session::find(std::int32_t id) {
  return static_cast<stream*>(nghttp2_session_get_stream_user_data(session_, id));
}

void h2_session::receive(std::string_view data) {
  if (broken_) return;
  auto taken = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
  if (taken < 0) {
    // nghttp2 has queued a GOAWAY where the protocol knows one.
    count(host_.counts().protocol_errors);
    host_.tell_refused(connection_, "http2", nghttp2_strerror(static_cast<int>(taken)));
    broken_ = true;
  }
  host_.flush_soon(connection_);
}

int h2_session::on_begin(std::int32_t id) {
  auto made = std::make_unique<stream>();
  made->id = id;
  made->deadline_us = host_.now_us() + in_us(host_.bounds().header_read) + in_us(host_.bounds().body_read);
  nghttp2_session_set_stream_user_data(session_, id, made.get());
  streams_.emplace(id, std::move(made));
  deadline_us_ = 0;
  return 0;
}

int h2_session::on_header(stream& s, std::string_view name, std::string_view value) {
  s.header_bytes += name.size() + value.size() + 32;
  if (s.header_bytes > host_.bounds().header_bytes) s.head_too_large = true;
  if (s.head_too_large) return 0;
  auto& call = s.request.call;
  if (name.front() != ':') {
    if (name == "content-length") {
      std::uint64_t length = 0;
      std::from_chars(value.data(), value.data() + value.size(), length);
      s.request.content_length = length;
    } else {
      take_header(s.request, name, value);
    }
  } else if (name == ":method") {
    call.verb = method_named(value);
  } else if (name == ":path") {
    call.target = value;
    s.has_path = value == "*" || (!value.empty() && value.front() == '/');
  }
  return 0;
}

void h2_session::on_head(stream& s) {
  if (s.head_too_large) {
    status too_large;
    too_large.code = 431;
    too_large.message = "header fields too large";
    return refuse(s, too_large);
  }
  if (!s.has_path) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, s.id, NGHTTP2_PROTOCOL_ERROR);
    return;
  }
  auto limit = host_.bounds().body_bytes;
  if (s.request.content_length.value_or(0) > limit)
    refuse(s, make_status(reason::request_entity_too_large,
                          "Request entity too large: limit is " + std::to_string(limit)));
}

void h2_session::refuse(stream& s, const status& why) {
  count(host_.counts().protocol_errors);
  host_.tell_refused(connection_, "request", why.message);
  s.refused = true;
  forget_body(s);
  // Who is not let in learns that first: the pipeline's answer is 401, whatever the body.
  s.current = connection_.peer().error.empty() ? &host_.refuse(*this, s.id, std::move(s.request), why)
                                               : &host_.begin(*this, connection_.peer(), s.id, std::move(s.request));
}

void h2_session::forget_body(stream& s) {
  buffered_ -= s.request.body.size();
  s.request.body.clear();
  s.request.body.shrink_to_fit();
}

void h2_session::on_data(stream& s, std::string_view data) {
  if (s.refused) {
    s.discarded += data.size();
    if (s.discarded > max_unread_body) nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, s.id, NGHTTP2_NO_ERROR);
    return;
  }
  auto limit = host_.bounds().body_bytes;
  if (data.size() > limit - s.request.body.size()) {
    refuse(s, make_status(reason::request_entity_too_large,
                          "Request entity too large: limit is " + std::to_string(limit)));
    return;
  }
  s.request.body.append(data);
  buffered_ += data.size();
  if (buffered_ <= host_.bounds().buffered_bytes) return;
  count(host_.counts().rejected);
  s.refused = true;
  forget_body(s);
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, s.id, NGHTTP2_REFUSED_STREAM);
}

void h2_session::on_end(stream& s) {
  if (s.refused || s.current || !s.has_path) return;
  buffered_ -= s.request.body.size();
  auto request = std::exchange(s.request, {});
  s.current = &host_.begin(*this, connection_.peer(), s.id, std::move(request));
}

void h2_session::on_closed(std::int32_t id) {
  auto found = streams_.find(id);
  if (found == streams_.end()) return;
  forget_body(*found->second);
  if (found->second->current) host_.release(*found->second->current);
  streams_.erase(found);
  if (streams_.empty()) deadline_us_ = host_.now_us() + in_us(host_.bounds().idle);
}

void h2_session::answer(exchange& which) {
  auto* s = find(which.stream);
  if (!s) return;
  std::array<char, 20> code{}, length{};
  auto code_end = std::to_chars(code.data(), code.data() + code.size(), which.answer.code).ptr;
  auto length_end = std::to_chars(length.data(), length.data() + length.size(), which.length).ptr;
  std::vector<nghttp2_nv> head;
  head.reserve(12);
  head.push_back(pair_of(":status", {code.data(), static_cast<std::size_t>(code_end - code.data())}));
  // nghttp2 wants lower case; the pipeline's header names are rewritten where they are not.
  for (auto& [name, value] : which.answer.headers)
    for (auto& c : name)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  for_each_answer_header(which, host_,
                         [&](std::string_view name, std::string_view value) { head.push_back(pair_of(name, value)); });
  bool bodyless = is_bodyless(which.answer.code);
  if (which.length_known && !bodyless)
    head.push_back(pair_of("content-length", {length.data(), static_cast<std::size_t>(length_end - length.data())}));
  nghttp2_data_provider body{};
  body.source.ptr = s;
  body.read_callback = callbacks::read;
  bool has_body = !which.is_head && !bodyless && !(which.length_known && which.length == 0);
  nghttp2_submit_response(session_, which.stream, head.data(), head.size(), has_body ? &body : nullptr);
  host_.flush_soon(connection_);
}

void h2_session::resume(exchange& which) {
  nghttp2_session_resume_data(session_, which.stream);
  host_.flush_soon(connection_);
}

void h2_session::cut(exchange& which) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, which.stream, NGHTTP2_ENHANCE_YOUR_CALM);
  host_.flush_soon(connection_);
}

ssize_t h2_session::read_length(stream& s, std::size_t length, std::uint32_t* flags) {
  if (!s.current) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  auto& body = s.current->body;
  auto size = std::min(body.available(length), length);
  if (size == 0 && !body.finished()) return NGHTTP2_ERR_DEFERRED;
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  // The pieces are read in send_data; the stream ends here when this is all there is and will be.
  if (body.ends_after(size)) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(size);
}

int h2_session::send_data(stream& s, const std::uint8_t* frame_head, std::size_t length) {
  if (out_->size() >= room_) return NGHTTP2_ERR_WOULDBLOCK;
  out_->append(view_of(frame_head, 9));
  s.current->body.read(*out_, length);
  return 0;
}

void h2_session::fill(std::string& out, std::size_t room) {
  out_ = &out;
  room_ = room;
  if (nghttp2_session_send(session_) != 0) broken_ = true;
  out_ = nullptr;
}

void h2_session::drain() {
  if (draining_) return;
  draining_ = true;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
  host_.flush_soon(connection_);
}

bool h2_session::finished() const {
  if (broken_ || (draining_ && streams_.empty())) return true;
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

void h2_session::tick(std::uint64_t now_us) {
  std::vector<std::int32_t> slow;
  for (const auto& [id, s] : streams_)
    if (!s->current && now_us >= s->deadline_us) slow.push_back(id);
  for (auto id : slow) {
    count(host_.counts().protocol_errors);
    host_.tell_refused(connection_, "slow_request", "the request was not complete in time");
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    host_.flush_soon(connection_);
  }
  if (deadline_us_ == 0 || now_us < deadline_us_ || !streams_.empty()) return;
  drain();
}

}  // namespace troupe::gateway
