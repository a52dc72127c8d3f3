// A snapshot file: every key and lease of a store as of one revision, checked byte by byte when it is read.
//
//   header    magic, revision, checksum
//   records   those of the log (log/format.hpp), each with its checksum: leases before the keys that are attached to
//   them end       a record `compacted`: its revision, the number of records before it, and a checksum over their
//   checksums
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "actors/store/log/file.hpp"
#include "actors/store/record.hpp"
#include "messages/status.hpp"
#include "messages/store.hpp"

namespace troupe::store {

/// What a snapshot holds.
struct snapshot_summary {
  std::uint64_t revision = 0;  // it shows the store as of this one
  std::uint64_t keys = 0;
  std::uint64_t leases = 0;
  std::uint64_t bytes = 0;  // of the file
};

/// Writes a snapshot file. It has another name until finish(): a file of the name asked for is always whole.
class snapshot_writer {
 public:
  /// Error: the file cannot be made.
  static result<snapshot_writer> create(const std::string& path, std::uint64_t revision);
  /// A lease and its granted seconds; before the keys attached to it.
  status add_lease(std::int64_t id, std::int64_t ttl_seconds);
  /// A key and its value; keys ascend.
  status add(const key_value& kv);
  /// Makes it durable under its name.
  result<snapshot_summary> finish();

 private:
  status append(const record& r);
  status flush();

  std::string path_;
  std::shared_ptr<log::file> file_;
  std::string buffer_;
  std::uint64_t written_ = 0;
  std::uint32_t chain_ = 0;  // checksum over the records' checksums
  snapshot_summary sum_;
};

/// Reads the whole file. Error: it is no snapshot, damaged or cut off; the text names the file and the place.
result<snapshot_summary> check_snapshot(const std::string& path);

/// Makes `data_dir`/store of the snapshot; the file is checked first. The store then begins `bump` revisions after the
/// snapshot's, with everything before compacted: a client that saw revisions of the time after the snapshot is told
/// 410 Gone instead of taking new objects for the ones it knew. Error: there is a store already, or a process uses the
/// directory. `salt`: any number that clients cannot know.
result<snapshot_summary> restore_snapshot(const std::string& path, const std::string& data_dir, std::uint64_t bump,
                                          std::uint64_t salt);

}  // namespace troupe::store
