// Watch events as the lines a client reads. Events that several watches share are framed once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/api_server/gateway/body_stream.hpp"
#include "messages/api_server.hpp"

namespace troupe::gateway {

/// What is known of a watch when one of its events is written.
struct watch_head {
  std::uint16_t resource = 0xffff;  // index into schema::resources(); 0xffff when the target names none
  api::watch_format format = api::watch_format::json;
  std::string table_options;  // includeObject of tables
  bool first = true;          // nothing was sent on this watch before: tables carry their column definitions
  std::uint64_t now_ms = 0;   // wall clock, for ages in tables
};

/// Appends one event, newline included, in a form that is not plain JSON (tables, partial metadata).
using event_renderer = std::function<void(std::string& out, const watch_head& head, const api::watch_event& event)>;

/// Appends {"type":"ADDED","object":...} and a newline. A bookmark is an object of the resource's kind with nothing but
/// its revision, and the annotation that ends the initial events where it does.
void append_event(std::string& out, std::uint16_t resource, const api::watch_event& event);
/// Appends {"type":"ERROR","object":Status} and a newline.
void append_error_event(std::string& out, const status& error);

/// The resource of a request's path ("/apis/apps/v1/namespaces/x/deployments?watch=1"); 0xffff when it names none.
std::uint16_t resource_of(std::string_view target);

/// The events of one batch as bytes, made in parts when the first reader gets there. Belongs to one thread.
class framed_batch {
 public:
  using events_ptr = std::shared_ptr<const std::vector<api::watch_event>>;
  framed_batch(events_ptr events, std::uint16_t resource);

  /// Part `index` of the batch, about 64 KiB; empty when there is none. With `last_reader`, earlier parts are dropped.
  shared_bytes part(std::size_t index, bool last_reader);
  const events_ptr& events() const { return events_; }
  /// An estimate of all its bytes.
  std::size_t bytes() const { return bytes_; }

 private:
  events_ptr events_;
  std::uint16_t resource_;
  std::size_t next_event_ = 0;
  std::size_t bytes_ = 0;
  std::vector<shared_bytes> parts_;
};

/// What is still to be sent on one watch. The stream's source.
class watch_source final : public body_source {
 public:
  /// What comes before the reader has caught up for the first time, or before the bookmark that ends the initial
  /// events, does not count as backlog. `renderer` outlives the source.
  watch_source(watch_head head, const event_renderer* renderer);

  /// Adds a batch that others may share; only for the JSON format.
  void push(std::shared_ptr<framed_batch> batch);
  /// Adds a batch that is rendered for this watch alone, when its turn comes. `now_ms`: wall clock.
  void push_rendered(framed_batch::events_ptr events, std::uint64_t now_ms);
  /// Adds bytes as they are (watch_format::raw).
  void push_raw(shared_bytes bytes);
  /// Called whenever one of the pieces given to push_raw has been taken.
  void on_raw_taken(std::function<void()> run) { raw_taken_ = std::move(run); }
  /// Ends the watch, with an ERROR event when the status is an error and events are what it carries.
  void finish(const status& error);

  void refill(body_stream& into) override;
  const watch_head& head() const { return head_; }
  /// Bytes that wait behind the one being sent, initial events left out.
  std::size_t backlog() const { return backlog_; }

 private:
  struct entry {
    std::shared_ptr<framed_batch> shared;  // or
    framed_batch::events_ptr events;       // to be rendered, or
    shared_bytes text;
    std::size_t counted = 0;  // in backlog_
  };
  std::size_t counted(const std::vector<api::watch_event>& events, std::size_t bytes);
  shared_bytes next_of(entry& front);
  shared_bytes render_some(const std::vector<api::watch_event>& events);

  watch_head head_;
  const event_renderer* renderer_;
  bool initial_ = true;
  bool started_ = false;  // something was pushed
  std::deque<entry> waiting_;
  std::function<void()> raw_taken_;
  std::size_t next_part_ = 0;  // part or event of waiting_.front()
  std::size_t backlog_ = 0;
  bool finished_ = false;
};

}  // namespace troupe::gateway
