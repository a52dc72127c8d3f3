// What a connection, its protocol and its loop ask of each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "actors/api_server/gateway/counters.hpp"
#include "actors/api_server/gateway/exchange.hpp"
#include "actors/api_server/gateway/http.hpp"
#include "actors/api_server/gateway/limits.hpp"
#include "actors/api_server/gateway/tls.hpp"

namespace troupe::gateway {

class connection;

/// A protocol on a connection: HTTP/1.1 or HTTP/2. Bytes are plain text.
class session {
 public:
  virtual ~session() = default;
  /// Bytes from the client.
  virtual void receive(std::string_view data) = 0;
  /// The client will send no more. False when nothing is left to be done for it.
  virtual bool input_ended() = 0;
  /// False while the client sends ahead of what may be buffered.
  virtual bool wants_input() const = 0;
  /// Appends about `room` bytes that are ready for the client; none when there are none.
  virtual void fill(std::string& out, std::size_t room) = 0;
  /// The exchange's answer is known: its head may be sent, and what its body stream has.
  virtual void answer(exchange& which) = 0;
  /// The exchange's body stream has more.
  virtual void resume(exchange& which) = 0;
  /// The exchange is cut off: its client gets no orderly end.
  virtual void cut(exchange& which) = 0;
  /// Finish what is under way, begin nothing.
  virtual void drain() = 0;
  /// All is said: the connection is to be closed once everything is written.
  virtual bool finished() const = 0;
  /// Whether the client may still be sending what nobody will read: closing at once could then destroy the answer.
  virtual bool leaves_input_unread() const = 0;
  /// Whether a client may take as long as it likes over what it was sent: a person may be reading.
  virtual bool is_patient() const = 0;
  /// Called now and then to judge deadlines.
  virtual void tick(std::uint64_t now_us) = 0;
  /// The connection it is a protocol on.
  virtual const connection& under() const = 0;
};

/// The loop, as its connections and sessions see it.
class host {
 public:
  virtual ~host() = default;
  virtual const limits& bounds() const = 0;
  virtual gateway_counters& counts() = 0;
  /// Steady clock of this turn of the loop, microseconds.
  virtual std::uint64_t now_us() const = 0;
  /// The Date header's value.
  virtual const std::string& date() = 0;

  /// A complete request: makes its exchange and asks the api_server, or answers at once when it cannot be admitted.
  virtual exchange& begin(session& by, const peer_identity& peer, std::int32_t stream, http_request&& request) = 0;
  /// A request that is refused with a Status before the api_server sees it.
  virtual exchange& refuse(session& by, std::int32_t stream, http_request&& request, const status& why) = 0;
  /// The answer has been written, or the client has gone: the session must not use the exchange any more.
  virtual void release(exchange& which) = 0;
  /// Logs why a client gets no further: `reason` is a stable word, `why` a text. A few lines a second at most.
  virtual void tell_refused(const connection& by, std::string_view reason, std::string_view why) = 0;
  /// flush() the connection before the loop waits again.
  virtual void flush_soon(connection& which) = 0;
};

/// Calls f(name, value) for each header of an answer besides the status, content-length and connection headers. Names
/// are in lower case.
template <class F>
void for_each_answer_header(const exchange& x, host& by, F f) {
  f(std::string_view("audit-id"), std::string_view(x.audit_id));
  bool caching = false;
  for (const auto& [name, value] : x.answer.headers) {
    if (equals_lower(name, "connection") || equals_lower(name, "transfer-encoding") ||
        equals_lower(name, "content-length"))
      continue;  // the protocol's own business
    caching = caching || equals_lower(name, "cache-control");
    f(std::string_view(name), std::string_view(value));
  }
  if (!caching) f(std::string_view("cache-control"), std::string_view("no-cache, private"));
  if (!x.encoding.empty()) {
    f(std::string_view("content-encoding"), std::string_view(x.encoding));
    f(std::string_view("vary"), std::string_view("Accept-Encoding"));
  }
  if (!x.answer.content_type.empty() && !is_bodyless(x.answer.code))
    f(std::string_view("content-type"), std::string_view(x.answer.content_type));
  f(std::string_view("date"), std::string_view(by.date()));
}

}  // namespace troupe::gateway
