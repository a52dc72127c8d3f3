// One segment file.
#include "actors/store/log/segment.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "actors/store/log/crc32c.hpp"

namespace troupe::store::log {
namespace {

/// Checks one batch whose header is intact and visits its records. False when a record is not intact.
bool visit_batch(std::string_view payload, const batch_header& h, std::uint32_t segment, std::uint64_t offset,
                 segment_content& content, const record_visitor& visit) {
  std::vector<std::pair<record_view, location>> found;
  found.reserve(h.records);
  std::string crcs;
  std::uint64_t at = 0;
  for (std::uint32_t i = 0; i < h.records; ++i) {
    auto r = parse_record(payload.substr(at));
    if (!r) return false;
    crcs.append(reinterpret_cast<const char*>(&r->crc), sizeof r->crc);
    found.emplace_back(*r, location{segment, static_cast<std::uint32_t>(offset + at), r->size});
    at += r->size;
  }
  if (at != payload.size() || crc32c(crcs) != h.payload_crc) return false;
  for (const auto& [r, place] : found) {
    append_footer_entry(content.footer, payload.substr(place.offset - offset, r.size), place.offset);
    ++content.records;
    if (visit) visit(r, place);
  }
  return true;
}

/// True when an intact batch with a later number stands behind: what comes before it was durable, so it is no torn end.
bool later_batch_follows(std::string_view bytes, std::uint64_t sequence, std::uint32_t salt) {
  for (std::size_t at = 0; (at = bytes.find("TBTH", at)) != std::string_view::npos; ++at) {
    auto h = parse_batch(bytes.substr(at), salt);
    if (h && h->sequence > sequence) return true;
  }
  return false;
}

/// The intact batch at `at`, if there is one.
std::optional<batch_header> batch_at(std::string_view bytes, std::uint64_t at, std::uint64_t sequence,
                                     std::uint32_t salt) {
  auto h = parse_batch(bytes.substr(at), salt);
  if (!h || h->sequence != sequence || h->payload_size > bytes.size() - at - batch_header_size) return std::nullopt;
  return h;
}

bool all_zero(std::string_view bytes) { return bytes.find_first_not_of('\0') == std::string_view::npos; }

status load_footer(std::string_view bytes, segment_content& content, const record_visitor& visit) {
  while (!bytes.empty()) {
    auto entry = take_footer_entry(bytes);
    if (!entry) return store_error("store: a footer ends within an entry");
    ++content.records;
    visit(entry->first, {content.header.segment, entry->second, entry->first.size});
  }
  return {};
}

}  // namespace

std::string segment_name(std::uint32_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "segment-%08u", number);
  return name;
}

status corrupt_segment(const file& which, std::string_view what) {
  return store_error("store: " + which.path() + " is corrupt: " + std::string(what));
}

result<segment_content> inspect_segment(const file& from, std::uint32_t number) {
  auto size = from.size();
  if (!size) return size.error();
  auto pages = from.read(0, data_offset);
  if (!pages) return pages.error();
  if (pages->size() < data_offset) return corrupt_segment(from, "truncated to " + std::to_string(*size) + " bytes");
  auto header = parse_header(std::string_view(*pages).substr(0, page_size));
  if (!header) return corrupt_segment(from, "header (checksum)");
  if (header->segment != number) return corrupt_segment(from, "it is another segment by its header");
  auto mark = parse_mark(std::string_view(*pages).substr(page_size));
  if (!mark) return corrupt_segment(from, "mark (checksum)");
  if (*size < mark->allocated) {
    return corrupt_segment(
        from, "truncated to " + std::to_string(*size) + " of at least " + std::to_string(mark->allocated) + " bytes");
  }
  segment_content content;
  content.header = *header;
  content.mark = *mark;
  content.allocated = *size;
  return content;
}

status scan_segment(const file& from, segment_content& content, const record_visitor& visit) {
  const std::uint64_t stop = content.mark.sealed ? content.mark.end : content.allocated;
  auto read = from.read(0, stop);
  if (!read) return read.error();
  const std::string_view bytes = *read;
  content.next_sequence = content.header.first_sequence;
  const auto salt = content.header.salt;
  while (auto h = batch_at(bytes, std::min<std::uint64_t>(content.end, bytes.size()), content.next_sequence, salt)) {
    const auto payload = bytes.substr(content.end + batch_header_size, h->payload_size);
    if (!visit_batch(payload, *h, content.header.segment, content.end + batch_header_size, content, visit)) break;
    content.end += batch_header_size + h->payload_size;
    ++content.next_sequence;
  }
  const auto rest = bytes.substr(std::min<std::uint64_t>(content.end, bytes.size()));
  if (content.end < content.mark.end || later_batch_follows(rest, content.next_sequence, salt)) {
    return corrupt_segment(from, "batch " + std::to_string(content.next_sequence) + " at offset " +
                                     std::to_string(content.end) + " (checksum)");
  }
  content.torn = !all_zero(rest);
  return {};
}

status load_segment(const file& from, segment_content& content, const record_visitor& visit) {
  if (content.mark.sealed) {
    auto footer = from.read(content.mark.end, content.mark.footer_size);
    if (!footer) return footer.error();
    const bool intact = footer->size() == content.mark.footer_size && crc32c(*footer) == content.mark.footer_crc;
    if (intact) {
      content.end = content.mark.end;
      content.next_sequence = content.mark.next_sequence;
      return load_footer(*footer, content, visit);
    }
  }
  return scan_segment(from, content, visit);
}

result<std::shared_ptr<file>> create_segment(const std::string& directory, const segment_header& header,
                                             std::uint64_t allocated) {
  const std::string path = directory + "/" + segment_name(header.segment);
  const std::string unfinished = path + ".new";
  auto made = file::open(unfinished, O_RDWR | O_CREAT | O_TRUNC);
  if (!made) return made;
  const auto& f = **made;
  segment_mark mark;
  mark.end = data_offset;
  mark.allocated = allocated;
  if (auto s = f.write_zeros(0, allocated); !s.ok()) return s;
  if (auto s = f.write(0, encode(header) + encode(mark)); !s.ok()) return s;
  if (auto s = f.sync_data(); !s.ok()) return s;
  if (std::rename(unfinished.c_str(), path.c_str()) != 0) return system_error("rename " + unfinished);
  if (auto s = sync_directory(directory); !s.ok()) return s;
  return file::open(path, O_RDWR);
}

status write_mark(const file& to, const segment_mark& mark) { return to.write(page_size, encode(mark)); }

status seal_segment(const file& to, const segment_content& content) {
  if (auto s = to.write(content.end, content.footer); !s.ok()) return s;
  if (auto s = to.sync_data(); !s.ok()) return s;
  segment_mark mark;
  mark.sealed = true;
  mark.end = content.end;
  mark.allocated = content.end + content.footer.size();
  mark.footer_size = content.footer.size();
  mark.footer_crc = crc32c(content.footer);
  mark.records = content.records;
  mark.next_sequence = content.next_sequence;
  if (auto s = write_mark(to, mark); !s.ok()) return s;
  if (auto s = to.sync_data(); !s.ok()) return s;
  // Only now may the unused end go: until the mark is durable the file has to have its old size.
  if (::ftruncate(to.descriptor(), static_cast<off_t>(mark.allocated)) != 0)
    return system_error("truncate " + to.path());
  return {};
}

}  // namespace troupe::store::log
