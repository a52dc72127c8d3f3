// The bytes of a segment. Little endian; every byte that means something is under a CRC32C.
//
//   page 0       header: magic, format, segment number, first batch, oldest segment
//   page 1       mark: how far the segment was durable when it was last written; whether it is sealed
//   8192 ...     batches, back to back: header, records. One batch is one durable commit.
//   footer       of a sealed segment: every record's header and key, so that opening reads no values
//   zeros        up to the allocated size
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "actors/store/record.hpp"

namespace troupe::store::log {

inline constexpr std::uint32_t page_size = 4096;
inline constexpr std::uint32_t data_offset = 2 * page_size;
inline constexpr std::uint32_t record_header_size = 64;
inline constexpr std::uint32_t batch_header_size = 32;
inline constexpr std::uint32_t footer_entry_size = record_header_size + 4;

struct segment_header {
  std::uint32_t segment = 0;
  std::uint64_t first_sequence = 0;  // of its first batch
  std::uint32_t oldest_segment = 0;  // when this one was made
  std::uint32_t salt = 0;            // enters its batches' checksums, so that no stored value can pass for a batch
};

struct segment_mark {
  bool sealed = false;
  std::uint64_t end = 0;          // batches before it were durable
  std::uint64_t allocated = 0;    // the file is at least this big
  std::uint64_t footer_size = 0;  // sealed: the footer stands at `end`
  std::uint32_t footer_crc = 0;
  std::uint64_t records = 0;        // in the footer
  std::uint64_t next_sequence = 0;  // sealed: of the batch that the next segment begins with
};

struct batch_header {
  std::uint32_t payload_size = 0;
  std::uint32_t records = 0;
  std::uint64_t sequence = 0;
  std::uint32_t payload_crc = 0;  // over the records' checksums
};

/// A record's bytes taken apart; the views point into them.
struct record_view {
  record_kind kind = record_kind::put;
  std::uint32_t size = 0;  // of all its bytes
  std::uint32_t crc = 0;
  std::uint32_t sub = 0;
  std::uint64_t revision = 0;
  std::uint64_t create_revision = 0;
  std::uint64_t version = 0;
  std::int64_t lease = 0;
  std::int64_t ttl = 0;
  std::string_view key;
  std::string_view value;  // empty in a footer
};

/// One page each. The parsers return nothing when the bytes are not one, whatever is wrong.
std::string encode(const segment_header& header);
std::string encode(const segment_mark& mark);
std::optional<segment_header> parse_header(std::string_view page);
std::optional<segment_mark> parse_mark(std::string_view page);

/// batch_header_size bytes.
void encode(const batch_header& header, std::uint32_t salt, char* to);
std::optional<batch_header> parse_batch(std::string_view bytes, std::uint32_t salt);

/// Appends the record's bytes and returns their checksum.
std::uint32_t append_record(std::string& to, const record& r);
/// The record that begins the bytes, checked against its checksum; nothing when it is not intact.
std::optional<record_view> parse_record(std::string_view bytes);
/// The checksum that intact record bytes carry.
std::uint32_t record_crc(std::string_view bytes);

/// Appends the footer's entry for a record that stands at `offset`.
void append_footer_entry(std::string& to, std::string_view record_bytes, std::uint32_t offset);
/// Takes one entry off the front; nothing when the bytes do not hold one.
std::optional<std::pair<record_view, std::uint32_t>> take_footer_entry(std::string_view& bytes);

/// The record as the core knows it, without its value.
record to_record(const record_view& v);

}  // namespace troupe::store::log
