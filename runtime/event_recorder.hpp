// Kubernetes Events of a component: one object per occurrence, counted up when the same thing happens again.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "messages/object.hpp"
#include "runtime/api_session.hpp"

namespace troupe::runtime {

/// What an Event is about (core/v1 ObjectReference).
struct event_subject {
  std::string kind, api_version, namespace_name, name, uid;
  std::uint64_t revision = 0;
  std::string field_path;
};
event_subject subject_of(const object& one);

/// Writes core/v1 Events through the component's session, one after another as client-go's broadcaster does: in a storm
/// they come later than the writes they tell of, and never keep those waiting. Drops what does not fit its queue.
class event_recorder {
 public:
  /// `component`: source.component and reportingComponent, "default-scheduler". `host`: source.host, may be empty.
  event_recorder(api_session& session, std::string component, std::string host = {});

  void normal(const event_subject& about, std::string_view reason, std::string_view message);
  void warning(const event_subject& about, std::string_view reason, std::string_view message);
  /// Events not written because too many waited.
  std::uint64_t dropped() const { return dropped_; }

 private:
  struct known_event {
    std::string namespace_name, name;
    std::uint64_t count = 1;
    std::string first_time;
  };
  /// Tokens of one subject: bursts are written, floods are not (client-go's limits: 25, then one every 5 minutes).
  struct allowance {
    double tokens = 25;
    std::uint64_t refilled_ms = 0;
  };
  bool allowed(const event_subject& about);
  void record(const event_subject& about, std::string_view type, std::string_view reason, std::string_view message);
  void create(const std::string& key, const event_subject& about, std::string_view type, std::string_view reason,
              std::string_view message);
  void count_up(const std::string& key, known_event& known, std::string_view message);
  /// One write, sent when its turn comes.
  struct waiting_write {
    std::string key;  // of known_
    api::request request;
  };
  void enqueue(const std::string& key, api::request request);
  void send_next();

  api_session& session_;
  std::string component_, host_;
  std::map<std::string, known_event> known_;
  std::deque<std::string> order_;  // keys of known_, oldest first
  std::map<std::string, allowance> allowances_;
  std::deque<waiting_write> waiting_;
  bool under_way_ = false;
  std::uint64_t dropped_ = 0;
};

}  // namespace troupe::runtime
