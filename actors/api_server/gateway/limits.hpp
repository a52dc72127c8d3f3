// Every bound of the gateway in one place, with Kubernetes' values as defaults.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace troupe::gateway {

/// Bounds on what a client may make the gateway hold or wait for.
struct limits {
  std::size_t header_bytes = 64 * 1024;        // request line and headers, trailers included
  std::size_t header_count = 256;              // header lines of one request
  std::size_t body_bytes = 3 * 1024 * 1024;    // of a request; more is answered 413
  std::size_t buffered_bytes = 16 << 20;       // request bodies of one HTTP/2 connection together
  std::size_t connections = 20'000;            // of the whole gateway; more are closed at once
  std::uint32_t streams = 250;                 // concurrent HTTP/2 streams of one connection
  std::uint32_t read_only_in_flight = 400;     // kube-apiserver --max-requests-inflight
  std::uint32_t mutating_in_flight = 200;      // kube-apiserver --max-mutating-requests-inflight
  std::size_t watch_backlog_bytes = 16 << 20;  // unsent events of one watch, its initial events aside
  std::size_t gzip_min_bytes = 128 * 1024;     // smaller answers are never compressed; 0: compression is off

  std::chrono::milliseconds handshake{10'000};    // from accept to the end of the TLS handshake
  std::chrono::milliseconds header_read{10'000};  // from a request's first byte to the end of its headers
  std::chrono::milliseconds body_read{60'000};    // from the end of the headers to the end of the body
  std::chrono::milliseconds idle{180'000};        // between two requests of a connection
  std::chrono::milliseconds write_stall{60'000};  // unsent bytes and a client that takes none
  std::chrono::milliseconds response{60'000};     // from the request to the api_server's answer
  std::chrono::milliseconds linger{2'000};        // reading on after a final answer, so that the client sees it
  std::chrono::milliseconds drain{3'000};         // from the order to stop to closing what is left
};

/// A bound in the gateway's own unit of time.
inline std::uint64_t in_us(std::chrono::milliseconds time) { return static_cast<std::uint64_t>(time.count()) * 1000; }

}  // namespace troupe::gateway
