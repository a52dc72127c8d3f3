// Both protocols' client side.
#include "tests/bench/client/channel.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <openssl/err.h>

namespace troupe::bench {

channel::channel(SSL* connection) : connection_(connection) {
  int flags = fcntl(socket(), F_GETFL);
  fcntl(socket(), F_SETFL, flags | O_NONBLOCK);
}

channel::~channel() { tls_client::close(connection_); }

void channel::on_ready() {
  static thread_local std::array<char, 65536> buffer;
  for (;;) {
    ERR_clear_error();
    int size = SSL_read(connection_, buffer.data(), static_cast<int>(buffer.size()));
    if (size <= 0) {
      int why = SSL_get_error(connection_, size);
      if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) throw std::runtime_error("the server closed");
      break;
    }
    receive({buffer.data(), static_cast<std::size_t>(size)});
    if (SSL_has_pending(connection_) == 0) break;
  }
  flush();
}

void channel::flush() {
  std::size_t sent = 0;
  while (sent < output_.size()) {
    ERR_clear_error();
    int size = SSL_write(connection_, output_.data() + sent, static_cast<int>(output_.size() - sent));
    if (size <= 0) {
      int why = SSL_get_error(connection_, size);
      if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) throw std::runtime_error("the server closed");
      break;
    }
    sent += static_cast<std::size_t>(size);
  }
  output_.erase(0, sent);
}

void h1_channel::start(const request& what, on_answer done, on_bytes bytes) {
  reader_.reset(what.method == "HEAD");
  size_ = 0;
  done_ = std::move(done);
  reader_.sink = [this, bytes = std::move(bytes)](std::string_view data) {
    size_ += data.size();
    if (bytes) bytes(data);
  };
  output_ += to_h1(what);
}

void h1_channel::receive(std::string_view data) {
  reader_.feed(data);
  if (!reader_.complete()) return;
  auto done = std::move(done_);
  done(reader_.answer().code, size_);
}

/// nghttp2's callbacks.
struct h2_channel::callbacks {
  static stream* find(nghttp2_session* session, std::int32_t id) {
    return static_cast<stream*>(nghttp2_session_get_stream_user_data(session, id));
  }
  static int header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t, void*) {
    auto* s = find(session, frame->hd.stream_id);
    if (!s || name_size != 7 || std::memcmp(name, ":status", 7) != 0) return 0;
    const auto* text = reinterpret_cast<const char*>(value);
    std::from_chars(text, text + value_size, s->code);
    return 0;
  }
  static int data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                  void*) {
    auto* s = find(session, id);
    if (!s) return 0;
    s->size += size;
    if (s->bytes) s->bytes({reinterpret_cast<const char*>(bytes), size});
    return 0;
  }
  static int closed(nghttp2_session*, std::int32_t id, std::uint32_t error, void* user) {
    auto& me = *static_cast<h2_channel*>(user);
    auto found = me.streams_.find(id);
    if (found == me.streams_.end()) return 0;
    auto s = std::move(found->second);
    me.streams_.erase(found);
    s->done(error == NGHTTP2_NO_ERROR || s->code >= 400 ? s->code : 0, s->size);
    return 0;
  }
  static ssize_t body(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t length, std::uint32_t* flags,
                      nghttp2_data_source* source, void*) {
    auto& s = *static_cast<stream*>(source->ptr);
    auto size = std::min(length, s.body.size() - s.sent);
    std::copy_n(s.body.data() + s.sent, size, into);
    s.sent += size;
    if (s.sent == s.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }
};

h2_channel::h2_channel(SSL* connection) : channel(connection) {
  nghttp2_session_callbacks* c = nullptr;
  nghttp2_session_callbacks_new(&c);
  nghttp2_session_callbacks_set_on_header_callback(c, callbacks::header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, callbacks::data);
  nghttp2_session_callbacks_set_on_stream_close_callback(c, callbacks::closed);
  nghttp2_session_client_new(&session_, c, this);
  nghttp2_session_callbacks_del(c);
  std::array settings{nghttp2_settings_entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 4 << 20}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 64 << 20);
}

h2_channel::~h2_channel() { nghttp2_session_del(session_); }

void h2_channel::start(const request& what, on_answer done, on_bytes bytes) {
  auto made = std::make_unique<stream>();
  made->done = std::move(done);
  made->bytes = std::move(bytes);
  made->body = what.body;
  auto pair = [](std::string_view name, std::string_view value) {
    auto text = [](std::string_view t) {
      return reinterpret_cast<std::uint8_t*>(const_cast<char*>(t.data()));  // NOLINT: nghttp2 never writes
    };
    return nghttp2_nv{text(name), text(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
  };
  std::array head{pair(":method", what.method),           pair(":scheme", "https"),
                  pair(":authority", "localhost"),        pair(":path", what.path),
                  pair("accept", "application/json"),     pair("user-agent", "troupe-bench/1"),
                  pair("content-type", what.content_type)};
  nghttp2_data_provider body{};
  body.source.ptr = made.get();
  body.read_callback = callbacks::body;
  auto count = what.body.empty() ? head.size() - 1 : head.size();
  auto id =
      nghttp2_submit_request(session_, nullptr, head.data(), count, what.body.empty() ? nullptr : &body, made.get());
  if (id < 0) throw std::runtime_error(nghttp2_strerror(id));
  streams_.emplace(id, std::move(made));
}

void h2_channel::receive(std::string_view data) {
  auto taken = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
  if (taken < 0) throw std::runtime_error(nghttp2_strerror(static_cast<int>(taken)));
}

void h2_channel::flush() {
  for (bool more = true; more && output_.size() < 256 * 1024;) {
    more = false;
    const std::uint8_t* data = nullptr;
    while (output_.size() < 256 * 1024) {
      auto size = nghttp2_session_mem_send(session_, &data);
      if (size <= 0) break;
      output_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
      more = true;
    }
    channel::flush();
    more = more && output_.empty();
  }
}

}  // namespace troupe::bench
