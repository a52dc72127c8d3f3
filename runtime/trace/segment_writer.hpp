// Trace segments on disk: compressed frames, a bound on each file and on all of them.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "messages/object_reference.hpp"
#include "messages/status.hpp"
#include "runtime/trace/recorder.hpp"

struct ZSTD_CCtx_s;

namespace troupe::trace {

/// Used by the recorder's thread only.
class segment_writer {
 public:
  explicit segment_writer(const recorder_options& options);
  ~segment_writer();
  segment_writer(const segment_writer&) = delete;
  segment_writer& operator=(const segment_writer&) = delete;

  /// Makes the directory, counts what is there and opens the first segment.
  status start();
  /// Writes the objects and the layout that this segment does not have yet, then the frames.
  void write(std::string_view frames, const std::vector<object_ptr>& objects, const core_layout* layout = nullptr);
  /// Everything written so far can be read, also if the process ends now.
  void flush();
  /// Ends the segment and begins the next when it is large enough; true when it did.
  bool rotate_if_full();
  std::uint64_t number() const { return number_; }
  std::uint64_t frames() const { return frames_; }

 private:
  status open_segment();
  void close_segment();
  void drop_oldest();
  void put(std::string_view bytes);
  void compress(std::string_view bytes, int mode);

  const recorder_options& options_;
  ZSTD_CCtx_s* compressor_ = nullptr;
  std::string buffer_;
  int file_ = -1;
  std::uint64_t number_ = 0;
  std::uint64_t segment_bytes_ = 0;
  std::uint64_t frames_ = 0;
  bool broken_ = false;  // the disk refused: nothing is written until the next segment
  std::deque<std::pair<std::string, std::uint64_t>> closed_;  // path and size, oldest first
  std::uint64_t closed_bytes_ = 0;
  /// Resource and revision tell states apart; the uid, too, since one transaction writes several objects.
  struct state_name {
    std::uint16_t resource = 0;
    std::uint64_t revision = 0;
    std::string uid;
    friend bool operator==(const state_name&, const state_name&) = default;
  };
  struct state_hash {
    std::size_t operator()(const state_name& one) const {
      return std::hash<std::string>()(one.uid) ^ (one.revision * 1099511628211ull + one.resource);
    }
  };
  std::unordered_set<state_name, state_hash> written_;  // to this segment
  std::set<std::uint64_t> layouts_;                     // written to this segment
};

}  // namespace troupe::trace
