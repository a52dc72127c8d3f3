// See log_reader.hpp.
#include "actors/container_runtime/cri/log_reader.hpp"

#include <utility>
#include <vector>

namespace troupe::cri {
namespace {

constexpr std::size_t chunk_bytes = 64 << 10;
// How soon a follower sees a new line. Looking costs two system calls a stream.
constexpr std::chrono::milliseconds follow_period{100};

}  // namespace

void log_readers::open(const caf::strong_actor_ptr& reader, const container::read_log& order, bool running) {
  stream made;
  made.id = order.id;
  made.reader = reader;
  made.container_id = order.container_id;
  made.follow = order.follow;
  made.running = running;
  made.filter = log_filter({order.timestamps, order.since_ns, order.limit_bytes});
  if (auto bad = made.file.open(order.path, order.tail_lines); !bad.empty())
    return in_.send_to(reader, container::log_chunk{order.id, {}, true, {container::fault::not_found, bad}});
  stream_key key{reader->id(), order.id};
  streams_[key] = std::move(made);
  give(key);
}

void log_readers::more(const caf::strong_actor_ptr& reader, const container::log_more& what) {
  if (!reader) return;
  auto found = streams_.find({reader->id(), what.id});
  if (found == streams_.end()) return;
  if (what.stop) {
    streams_.erase(found);
    return;
  }
  found->second.wants = true;
  auto key = found->first;
  give(key);
}

void log_readers::ended(const std::string& container_id) {
  std::vector<stream_key> concerned;
  for (auto& [key, one] : streams_) {
    if (one.container_id != container_id) continue;
    one.running = false;
    if (one.wants) concerned.push_back(key);
  }
  for (auto& key : concerned) give(key);
}

void log_readers::give(const stream_key& key) {
  auto& one = streams_.at(key);
  std::string text;
  bool drained = false;
  // Lines that are too old give nothing: go on to those that do, a bounded way.
  for (int pieces = 0; text.empty() && !drained && !one.filter.full() && pieces < 16; ++pieces) {
    auto raw = one.file.read(chunk_bytes);
    drained = raw.empty();
    one.filter.take(raw, text);
  }
  bool end = one.filter.full() || (drained && !(one.follow && one.running));
  // That the log is open is said at once; after that, nothing is not worth a chunk.
  if (text.empty() && !end && std::exchange(one.opened, true))
    return drained ? watch() : in_.post([this] { look_again(); });
  one.opened = true;
  one.wants = false;
  in_.send_to(one.reader, container::log_chunk{one.id, shared_bytes(std::move(text)), end, {}});
  if (end) streams_.erase(key);
}

void log_readers::watch() {
  if (watching_) return;
  watching_ = true;
  in_.after(follow_period, [this] { look_again(); });
}

void log_readers::look_again() {
  watching_ = false;
  std::vector<stream_key> waiting;
  for (auto& [key, one] : streams_)
    if (one.wants) waiting.push_back(key);
  for (auto& key : waiting) give(key);
}

}  // namespace troupe::cri
