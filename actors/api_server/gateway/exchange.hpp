// One request and its answer between a client's connection and the api_server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "actors/api_server/gateway/body_stream.hpp"
#include "actors/api_server/gateway/upgraded.hpp"
#include "actors/api_server/gateway/watch_feed.hpp"
#include "messages/api_server.hpp"

namespace troupe::gateway {

class session;

/// Lives from the complete request until its answer is written or, when the client has gone, until the api_server's
/// answer has been dropped. Belongs to one loop.
struct exchange {
  std::uint64_t id = 0;      // of the api::request
  session* owner = nullptr;  // null: the client has gone
  std::int32_t stream = 0;   // HTTP/2
  bool is_head = false;
  bool is_mutating = false;
  bool accepts_gzip = false;
  bool counted = false;           // holds one of the in-flight places
  bool forwarded = false;         // the api_server was asked and has not answered
  std::uint64_t deadline_us = 0;  // for the api_server's answer
  std::string audit_id;
  std::string target;
  // For traces, of requests that change something.
  std::uint64_t arrived_us = 0;  // 0: not recorded
  std::uint64_t sent_us = 0;
  std::string what;  // "POST /api/v1/namespaces/default/pods"

  // The answer.
  bool answered = false;
  api::response answer;  // its body has moved to `body`
  body_stream body;
  std::string encoding;      // Content-Encoding; empty: none
  bool length_known = true;  // else the body ends when its stream does
  std::uint64_t length = 0;
  std::uint64_t watch_id = 0;
  watch_source* watch = nullptr;  // the body's source

  // An upgrade, once its stream is open.
  upgrade_choice upgrade;  // agreed on when the request came
  std::uint64_t stream_id = 0;
  std::unique_ptr<upgraded> tunnel;
};

}  // namespace troupe::gateway
