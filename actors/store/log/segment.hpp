// One segment file: reading all of it back, and what it takes to begin and to seal one.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "actors/store/log/file.hpp"
#include "actors/store/log/format.hpp"

namespace troupe::store::log {

/// Called for each record, in order. In a footer the value is missing.
using record_visitor = std::function<void(const record_view&, location)>;

/// What reading a segment gave.
struct segment_content {
  segment_header header;
  segment_mark mark;
  std::uint64_t end = data_offset;  // after the last intact batch
  std::uint64_t allocated = 0;      // size of the file
  std::uint64_t next_sequence = 0;  // of the batch that comes next
  bool torn = false;                // something that is no batch stands at `end`: a commit that did not finish
  std::string footer;               // entries of all records; empty where the footer was read
  std::uint64_t records = 0;
};

/// "segment-00000001"
std::string segment_name(std::uint32_t number);

/// Header and mark. Error: the file is not the intact segment of this number, or shorter than it must be.
result<segment_content> inspect_segment(const file& from, std::uint32_t number);
/// Reads every batch and checks every byte of it. Error: a batch that was durable is not intact.
status scan_segment(const file& from, segment_content& content, const record_visitor& visit);
/// Like scan_segment, but of a sealed segment only the footer, when that is intact.
status load_segment(const file& from, segment_content& content, const record_visitor& visit);

/// Makes the file, durable under its name, with `allocated` bytes.
result<std::shared_ptr<file>> create_segment(const std::string& directory, const segment_header& header,
                                             std::uint64_t allocated);
status write_mark(const file& to, const segment_mark& mark);
/// Writes the footer at content's end and seals the segment; durable on return.
status seal_segment(const file& to, const segment_content& content);

/// The text for a segment that is not what was written.
status corrupt_segment(const file& which, std::string_view what);

}  // namespace troupe::store::log
