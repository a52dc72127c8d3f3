// The bytes of a segment.
#include "actors/store/log/format.hpp"

#include <bit>
#include <cstring>

#include "actors/store/log/crc32c.hpp"

namespace troupe::store::log {
namespace {

constexpr std::uint64_t header_magic = 0x3147'4553'5052'5454ULL;  // "TTRPSEG1"
constexpr std::uint64_t mark_magic = 0x314B'524D'5052'5454ULL;    // "TTRPMRK1"
constexpr std::uint32_t batch_magic = 0x4854'4254U;               // "TBTH"
constexpr std::uint32_t format_version = 1;

static_assert(std::endian::native == std::endian::little, "segments are written in the host's byte order");

/// Writes numbers one after the other.
struct writer {
  char* at;
  template <class T>
  void put(T value) {
    std::memcpy(at, &value, sizeof value);
    at += sizeof value;
  }
};
/// Reads them back.
class reader {
 public:
  explicit reader(std::string_view bytes) : at_(bytes.data()) {}
  template <class T>
  T take() {
    T value;
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

 private:
  const char* at_;
};

constexpr std::size_t page_crc_at = page_size - 4;

std::string finish_page(std::string page) {
  const std::uint32_t crc = crc32c(std::string_view(page).substr(0, page_crc_at));
  std::memcpy(page.data() + page_crc_at, &crc, 4);
  return page;
}

bool page_intact(std::string_view page, std::uint64_t magic) {
  if (page.size() != page_size) return false;
  reader r(page.substr(page_crc_at));
  if (r.take<std::uint32_t>() != crc32c(page.substr(0, page_crc_at))) return false;
  return reader(page).take<std::uint64_t>() == magic;
}

/// Reads everything of a record's header; the caller checks that 64 bytes are there.
record_view read_header(std::string_view bytes, std::uint32_t& key_size, std::uint32_t& value_size) {
  reader r(bytes);
  record_view v;
  v.crc = r.take<std::uint32_t>();
  v.size = r.take<std::uint32_t>();
  v.kind = static_cast<record_kind>(r.take<std::uint32_t>());
  key_size = r.take<std::uint32_t>();
  value_size = r.take<std::uint32_t>();
  v.sub = r.take<std::uint32_t>();
  v.revision = r.take<std::uint64_t>();
  v.create_revision = r.take<std::uint64_t>();
  v.version = r.take<std::uint64_t>();
  v.lease = r.take<std::int64_t>();
  v.ttl = r.take<std::int64_t>();
  return v;
}

}  // namespace

std::string encode(const segment_header& header) {
  std::string page(page_size, '\0');
  writer w{page.data()};
  w.put(header_magic);
  w.put(format_version);
  w.put(header.segment);
  w.put(header.first_sequence);
  w.put(header.oldest_segment);
  w.put(header.salt);
  return finish_page(std::move(page));
}

std::string encode(const segment_mark& mark) {
  std::string page(page_size, '\0');
  writer w{page.data()};
  w.put(mark_magic);
  w.put(std::uint32_t{mark.sealed});
  w.put(mark.end);
  w.put(mark.allocated);
  w.put(mark.footer_size);
  w.put(mark.footer_crc);
  w.put(mark.records);
  w.put(mark.next_sequence);
  return finish_page(std::move(page));
}

std::optional<segment_header> parse_header(std::string_view page) {
  if (!page_intact(page, header_magic)) return std::nullopt;
  reader r(page.substr(sizeof header_magic));
  if (r.take<std::uint32_t>() != format_version) return std::nullopt;
  segment_header h;
  h.segment = r.take<std::uint32_t>();
  h.first_sequence = r.take<std::uint64_t>();
  h.oldest_segment = r.take<std::uint32_t>();
  h.salt = r.take<std::uint32_t>();
  return h;
}

std::optional<segment_mark> parse_mark(std::string_view page) {
  if (!page_intact(page, mark_magic)) return std::nullopt;
  reader r(page.substr(sizeof mark_magic));
  segment_mark m;
  m.sealed = r.take<std::uint32_t>() != 0;
  m.end = r.take<std::uint64_t>();
  m.allocated = r.take<std::uint64_t>();
  m.footer_size = r.take<std::uint64_t>();
  m.footer_crc = r.take<std::uint32_t>();
  m.records = r.take<std::uint64_t>();
  m.next_sequence = r.take<std::uint64_t>();
  return m;
}

void encode(const batch_header& header, std::uint32_t salt, char* to) {
  writer w{to};
  w.put(batch_magic);
  w.put(header.payload_size);
  w.put(header.records);
  w.put(header.payload_crc);
  w.put(header.sequence);
  w.put(std::uint32_t{0});
  w.put(crc32c({to, batch_header_size - 4}, salt));
}

std::optional<batch_header> parse_batch(std::string_view bytes, std::uint32_t salt) {
  if (bytes.size() < batch_header_size) return std::nullopt;
  reader r(bytes);
  if (r.take<std::uint32_t>() != batch_magic) return std::nullopt;
  batch_header h;
  h.payload_size = r.take<std::uint32_t>();
  h.records = r.take<std::uint32_t>();
  h.payload_crc = r.take<std::uint32_t>();
  h.sequence = r.take<std::uint64_t>();
  r.take<std::uint32_t>();
  if (r.take<std::uint32_t>() != crc32c(bytes.substr(0, batch_header_size - 4), salt)) return std::nullopt;
  return h;
}

std::uint32_t append_record(std::string& to, const record& r) {
  const std::size_t begin = to.size();
  const std::size_t size = record_header_size + r.key.size() + r.value.size();
  to.resize(begin + record_header_size);
  writer w{to.data() + begin};
  w.put(std::uint32_t{0});
  w.put(static_cast<std::uint32_t>(size));
  w.put(static_cast<std::uint32_t>(r.kind));
  w.put(static_cast<std::uint32_t>(r.key.size()));
  w.put(static_cast<std::uint32_t>(r.value.size()));
  w.put(r.sub);
  w.put(r.revision);
  w.put(r.create_revision);
  w.put(r.version);
  w.put(r.lease);
  w.put(r.ttl);
  to.append(r.key);
  to.append(r.value.view());
  const std::uint32_t crc = crc32c(std::string_view(to).substr(begin + 4));
  std::memcpy(to.data() + begin, &crc, 4);
  return crc;
}

std::optional<record_view> parse_record(std::string_view bytes) {
  if (bytes.size() < record_header_size) return std::nullopt;
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  record_view v = read_header(bytes, key_size, value_size);
  const std::uint64_t needed = std::uint64_t{record_header_size} + key_size + value_size;
  if (v.size != needed || v.size > bytes.size()) return std::nullopt;
  if (v.crc != crc32c(bytes.substr(4, v.size - 4))) return std::nullopt;
  v.key = bytes.substr(record_header_size, key_size);
  v.value = bytes.substr(record_header_size + key_size, value_size);
  return v;
}

std::uint32_t record_crc(std::string_view bytes) { return reader(bytes).take<std::uint32_t>(); }

void append_footer_entry(std::string& to, std::string_view record_bytes, std::uint32_t offset) {
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  read_header(record_bytes, key_size, value_size);
  to.append(reinterpret_cast<const char*>(&offset), sizeof offset);
  to.append(record_bytes.substr(0, record_header_size + key_size));
}

std::optional<std::pair<record_view, std::uint32_t>> take_footer_entry(std::string_view& bytes) {
  if (bytes.size() < footer_entry_size) return std::nullopt;
  const auto offset = reader(bytes).take<std::uint32_t>();
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  record_view v = read_header(bytes.substr(4), key_size, value_size);
  if (bytes.size() - footer_entry_size < key_size) return std::nullopt;
  v.key = bytes.substr(footer_entry_size, key_size);
  bytes.remove_prefix(footer_entry_size + key_size);
  return std::pair{v, offset};
}

record to_record(const record_view& v) {
  record r;
  r.kind = v.kind;
  r.revision = v.revision;
  r.sub = v.sub;
  r.create_revision = v.create_revision;
  r.version = v.version;
  r.lease = v.lease;
  r.ttl = v.ttl;
  r.key = v.key;
  return r;
}

}  // namespace troupe::store::log
