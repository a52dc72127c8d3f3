// What the store makes durable: records, and where a record rests. Shared by the core and the backends.
#pragma once

#include <cstdint>
#include <string>

#include <msgpack.hpp>

#include "messages/bytes.hpp"

namespace troupe::store {

/// Where a backend keeps a record. Segments count from 1; 0 means nowhere.
struct location {
  std::uint32_t segment = 0;
  std::uint32_t offset = 0;
  std::uint32_t size = 0;  // bytes of the whole record

  bool known() const { return segment != 0; }
  friend bool operator==(const location&, const location&) = default;
  MSGPACK_DEFINE(segment, offset, size)
};

/// A version's record: where it rests and which revision it must have.
struct place {
  location at;
  std::uint64_t revision = 0;
  MSGPACK_DEFINE(at, revision)
};

/// The kinds are on disk: never renumber.
enum class record_kind : std::uint8_t {
  put = 1,
  erase = 2,
  lease_granted = 3,
  lease_ended = 4,
  compacted = 5,  // history before `revision` is dropped
  dropped = 6,    // segments below `revision` are deleted
};

/// One durable fact. put and erase are one version of a key, named by (revision, sub); the other kinds use the fields
/// that their comments name.
struct record {
  record_kind kind = record_kind::put;
  std::uint64_t revision = 0;  // mod_revision of a version
  std::uint32_t sub = 0;       // place of the change inside its transaction
  std::uint64_t create_revision = 0;
  std::uint64_t version = 0;
  std::int64_t lease = 0;  // of the key, or the lease itself
  std::int64_t ttl = 0;    // lease_granted: seconds
  std::string key;
  shared_bytes value;
  place prior;   // not stored: where the value it replaces rests, when the commit must hand that back
  place source;  // not stored: when known, copy the record from here (cleaning) and ignore the other fields
  MSGPACK_DEFINE(kind, revision, sub, create_revision, version, lease, ttl, key, value, prior, source)
};

/// What a backend tells about its disk use after a commit.
struct disk_usage {
  std::uint64_t bytes = 0;           // of all segments
  std::uint32_t oldest_segment = 0;  // the first that still exists
  std::uint32_t active_segment = 0;  // the one that is written to
  MSGPACK_DEFINE(bytes, oldest_segment, active_segment)
};

}  // namespace troupe::store

MSGPACK_ADD_ENUM(troupe::store::record_kind)
