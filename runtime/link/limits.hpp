// Every bound of the cluster link in one place.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace troupe::link {

/// Bounds on what a peer may make this process hold or wait for.
struct limits {
  std::size_t connections = 6'000;            // of one listener, open links included
  std::size_t unproven = 256;                 // that have not shown a good certificate and hello yet
  std::size_t unproven_of_address = 48;       // the same of one address
  std::size_t from_node_bytes = 4 << 20;      // payload of one frame: a request's body has 3 MiB at most
  std::size_t from_control_bytes = 32 << 20;  // payload of one frame: a whole list
  std::size_t unread_bytes = 8 << 20;         // received frames that their actor has not handled: no more is read
  std::size_t unsent_bytes = 64 << 20;        // written for a peer that does not take it: the link ends
  std::size_t feed_bytes = 4 << 20;           // of those, above which watches wait
  std::size_t watch_bytes = 16 << 20;         // of one watch's events that wait; more end it, as at the API's port
  std::size_t requests_in_flight = 2'000;     // of one link; more are answered 429
  std::size_t request_body = 3 << 20;         // of one request; more is answered 413, as at the API's port
  std::size_t bodies_in_flight = 16 << 20;    // of one link's unanswered requests; more is answered 429
  std::size_t watches = 500;                  // of one link; more are stopped as they open and answered 429
  std::size_t dialing = 16;                   // handshakes that one process makes with one server at a time
  std::size_t links_of_node = 4;              // open at a time with one listener; the oldest has to go
  std::size_t links_of_component = 1'000;     // with one identity; more are refused: the nodes need room

  std::chrono::milliseconds handshake{5'000};   // from accept or connect to the end of the greeting
  std::chrono::milliseconds keepalive{5'000};   // of saying nothing, after which a ping is sent
  std::chrono::milliseconds silence{16'000};    // of hearing nothing, after which the link ends
  std::chrono::milliseconds backoff_base{200};  // before dialing again; doubles, with jitter
  std::chrono::milliseconds backoff_cap{5'000};
  std::chrono::milliseconds renewal_look{1'000};  // between two looks whether a certificate was replaced
};

}  // namespace troupe::link
