// The backend `embedded`: an append-only log of checksummed records in segment files (README.md says why not LMDB).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "actors/store/backend.hpp"
#include "actors/store/log/file.hpp"
#include "actors/store/log/segment.hpp"

namespace troupe::store::log {

/// Sizes in bytes.
struct log_options {
  std::string directory;
  std::uint64_t segment_bytes = 32 << 20;    // a segment is sealed when the next batch would pass this
  std::uint64_t first_allocation = 1 << 20;  // zeros written ahead, so that a sync has no metadata to write
  std::uint64_t next_allocation = 4 << 20;
  std::uint64_t salt = 0;  // any number that clients cannot know
};

class log_backend final : public backend {
 public:
  explicit log_backend(log_options options) : options_(std::move(options)) {}
  ~log_backend() override { close(); }

  result<disk_usage> open(const visitor& visit) override;
  core::event commit(const std::vector<core::append>& appends) override;
  void idle() override;
  result<shared_bytes> read(const place& from) override;
  disk_usage drop(std::uint32_t below) override;
  void close() override;

 private:
  struct segment {
    std::shared_ptr<file> content;
    std::uint64_t bytes = 0;  // of the file
  };
  /// A batch being put together.
  struct batch {
    std::string bytes;
    std::string crcs;
    std::vector<std::uint32_t> offsets;  // of the records, inside `bytes`
    std::vector<bool> lost;              // sources that could not be read
    core::batch_durable done;
  };

  status open_segments(const std::vector<std::uint32_t>& numbers, const visitor& visit);
  status open_segment(std::uint32_t number, bool last, const visitor& visit);
  status settle_active();
  status check_chain(const std::vector<std::uint32_t>& numbers) const;
  status begin_segment(std::uint32_t number, std::uint64_t first_sequence, std::uint64_t needed);

  void add_record(batch& b, const record& r);
  void add_copy(batch& b, const place& source);
  status make_room(std::uint64_t size);
  status roll(std::uint64_t size);
  void place_records(batch& b);
  /// A record's bytes, found intact. `value_size`, if wanted: how many of them, the last ones, are its value.
  result<std::string> read_record(const place& from, std::size_t* value_size = nullptr);
  std::shared_ptr<file> segment_file(std::uint32_t number) const;
  disk_usage usage() const;

  log_options options_;
  std::shared_ptr<file> lock_;
  mutable std::mutex mutex_;  // of segments_: the actor reads and drops, the committer appends
  std::map<std::uint32_t, segment> segments_;
  std::uint32_t oldest_ = 1;
  // The active segment; the committer's alone once the log is open.
  segment_content active_;
  std::shared_ptr<file> active_file_;
  bool marked_ = false;  // the mark on disk tells the end
};

/// The segment files of a directory, ascending.
result<std::vector<std::uint32_t>> list_segments(const std::string& directory);

}  // namespace troupe::store::log
