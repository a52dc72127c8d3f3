// What makes the core's records durable. One small interface, several backends.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/store/core.hpp"
#include "actors/store/errors.hpp"
#include "actors/store/record.hpp"
#include "messages/status.hpp"

namespace troupe::store {

/// A backend is opened once. commit() and idle() belong to one thread, read() and drop() to another; nothing else is
/// called at the same time as open() or close().
class backend {
 public:
  using visitor = std::function<void(record found, location at)>;

  virtual ~backend() = default;

  /// Visits every record in the order of the log (values left out). Error: in use by another process, corrupt, no
  /// permission; the text says which file and why.
  virtual result<disk_usage> open(const visitor& visit) = 0;
  /// Makes all appends durable, in order, all or none. Answers batch_durable or commit_failed.
  virtual core::event commit(const std::vector<core::append>& appends) = 0;
  /// The last commit has been answered and no other waits: time for what may be late.
  virtual void idle() {}
  /// The value of a version's record. Error: the record is corrupt; never a wrong value.
  virtual result<shared_bytes> read(const place& from) = 0;
  /// Deletes the segments below.
  virtual disk_usage drop(std::uint32_t below) = 0;
  /// Gives everything back, the lock too. The backend is of no use afterwards.
  virtual void close() {}
  /// True when commit() returns at once and wants no thread of its own.
  virtual bool immediate() const { return false; }
};

/// The record is not what was written: the one wording for it.
inline status corrupt_record(std::uint64_t revision) {
  return store_error("store: record at revision " + std::to_string(revision) + " is corrupt (checksum)");
}

}  // namespace troupe::store
