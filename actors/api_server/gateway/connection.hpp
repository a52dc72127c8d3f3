// A client's TCP connection: TLS, back-pressure, orderly close. The protocol above it is a session.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <openssl/ssl.h>

#include "actors/api_server/gateway/session.hpp"
#include "actors/api_server/gateway/tls.hpp"

namespace troupe::gateway {

/// Belongs to one loop. A dead connection is removed by its loop at the end of the turn.
class connection {
 public:
  /// Takes the socket over and adds it to the epoll instance.
  connection(host& by, int epoll, int socket, SSL_CTX* context);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// epoll reports the socket.
  void on_events(std::uint32_t events);
  /// Writes what the session has ready, until the socket is full or it has had its share of this turn.
  void flush();
  /// Judges deadlines.
  void tick();
  /// Stop taking requests; the connection ends when the last answer is out.
  void drain();
  /// Ends it now, without a word.
  void kill();

  bool dead() const { return phase_ == phase::dead; }
  const peer_identity& peer() const { return peer_; }
  /// The client's address and port, as the socket knows them.
  std::string address() const;
  bool flush_pending = false;  // is in the loop's list

 private:
  enum class phase : std::uint8_t { first_byte, handshake, open, lingering, dead };

  void look_at_first_byte();
  void handshake();
  void read();
  void on_read_failure(int outcome);
  void on_input_end();
  bool write(std::string_view data);
  void begin_close();
  void linger();
  void listen_for(std::uint32_t events);

  host& host_;
  int epoll_;
  int socket_;
  SSL* ssl_;
  phase phase_ = phase::first_byte;
  bool input_over_ = false;
  std::uint32_t listening_ = 0;  // epoll events
  std::uint64_t deadline_us_;    // of handshake, stalled write or lingering; 0: none
  std::uint64_t discarded_ = 0;  // while lingering
  std::string unsent_;           // begun and blocked; must be offered to OpenSSL again as it is
  std::size_t unsent_from_ = 0;
  peer_identity peer_;
  std::unique_ptr<session> session_;
};

}  // namespace troupe::gateway
