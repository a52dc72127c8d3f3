// What `troupe store` does: snapshots of a running cluster, restoring and checking data directories.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "messages/status.hpp"
#include "messages/store.hpp"

namespace troupe::runtime {

/// What a snapshot file or a data directory holds, and what is wrong with it.
struct store_summary {
  std::uint64_t revision = 0;
  std::uint64_t keys = 0;      // snapshot
  std::uint64_t leases = 0;    // snapshot
  std::uint64_t segments = 0;  // data directory
  std::uint64_t records = 0;   // data directory: intact ones
  std::uint64_t bytes = 0;
  std::vector<std::string> problems;
};

/// How a running cluster's store is asked.
struct store_source {
  std::function<result<store::range_reply>(const store::range&)> range;
  /// Answers with the lease's granted seconds; not_found when it has ended.
  std::function<result<store::ack>(std::int64_t)> lease;
};

/// Writes all that is below /registry/, as of one revision, to the file. Begins again when that revision is compacted
/// meanwhile, twice at most.
result<store_summary> take_snapshot(const store_source& from, const std::string& file);
/// A snapshot file, or a data directory that no process uses.
result<store_summary> verify_store(const std::string& path);
/// See store::restore_snapshot.
result<store_summary> restore_store(const std::string& file, const std::string& data_dir, std::uint64_t bump);

}  // namespace troupe::runtime
