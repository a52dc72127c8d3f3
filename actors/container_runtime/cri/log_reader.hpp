// The open log streams of a driver: each gets its next chunk when its reader asked for one, followers when there is
// one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "actors/container_runtime/cri/log_file.hpp"
#include "messages/container_runtime.hpp"
#include "runtime/actor_context.hpp"

namespace troupe::cri {

class log_readers {
 public:
  /// Works in the handlers of this component.
  explicit log_readers(runtime::actor_context& in) : in_(in) {}

  /// Starts a stream; the order's path is known. `running`: the container may still write.
  void open(const caf::strong_actor_ptr& reader, const container::read_log& order, bool running);
  /// The reader wants the next chunk, or no more.
  void more(const caf::strong_actor_ptr& reader, const container::log_more& what);
  /// A container has ended: who follows it gets what is left, and the end.
  void ended(const std::string& container_id);

 private:
  struct stream {
    std::uint64_t id = 0;
    caf::strong_actor_ptr reader;
    std::string container_id;
    bool follow = false;
    bool running = true;
    bool wants = true;    // a chunk was asked for and could not be given yet
    bool opened = false;  // the reader has had a chunk, if only an empty one
    log_file file;
    log_filter filter{{}};
  };
  using stream_key = std::pair<std::uint64_t, std::uint64_t>;  // actor, id

  void give(const stream_key& key);
  void watch();
  void look_again();

  runtime::actor_context& in_;
  std::map<stream_key, stream> streams_;
  bool watching_ = false;
};

}  // namespace troupe::cri
