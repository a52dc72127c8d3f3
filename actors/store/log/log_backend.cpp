// The backend `embedded`: committing, reading and dropping. Opening is in log_open.cpp.
#include "actors/store/log/log_backend.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "actors/store/log/crc32c.hpp"

namespace troupe::store::log {

std::shared_ptr<file> log_backend::segment_file(std::uint32_t number) const {
  std::lock_guard guard(mutex_);
  auto found = segments_.find(number);
  return found == segments_.end() ? nullptr : found->second.content;
}

disk_usage log_backend::usage() const {
  std::lock_guard guard(mutex_);
  disk_usage u;
  for (const auto& [number, s] : segments_) u.bytes += s.bytes;
  u.oldest_segment = segments_.begin()->first;
  u.active_segment = segments_.rbegin()->first;
  return u;
}

result<std::string> log_backend::read_record(const place& from, std::size_t* value_size) {
  auto f = segment_file(from.at.segment);
  if (!f) return store_error("store: segment " + std::to_string(from.at.segment) + " is gone");
  auto bytes = f->read(from.at.offset, from.at.size);
  if (!bytes) return bytes;
  auto r = parse_record(*bytes);
  if (!r || r->size != from.at.size || r->revision != from.revision) return corrupt_record(from.revision);
  if (value_size) *value_size = r->value.size();
  return bytes;
}

result<shared_bytes> log_backend::read(const place& from) {
  std::size_t value_size = 0;
  auto bytes = read_record(from, &value_size);
  if (!bytes) return bytes.error();
  bytes->erase(0, bytes->size() - value_size);
  return shared_bytes(std::move(*bytes));
}

void log_backend::add_copy(batch& b, const place& source) {
  auto bytes = read_record(source);
  b.lost.push_back(!bytes);
  b.offsets.push_back(static_cast<std::uint32_t>(b.bytes.size()));
  if (!bytes) return;
  b.crcs.append(bytes->substr(0, 4));  // a record begins with its checksum
  b.bytes.append(*bytes);
}

void log_backend::add_record(batch& b, const record& r) {
  const auto index = static_cast<std::uint32_t>(b.offsets.size());
  if (r.source.at.known()) return add_copy(b, r.source);
  if (r.prior.at.known()) {
    auto value = read(r.prior);
    b.done.priors.push_back({index, value ? std::move(*value) : shared_bytes()});
  }
  b.lost.push_back(false);
  b.offsets.push_back(static_cast<std::uint32_t>(b.bytes.size()));
  const std::uint32_t crc = append_record(b.bytes, r);
  b.crcs.append(reinterpret_cast<const char*>(&crc), sizeof crc);
}

core::event log_backend::commit(const std::vector<core::append>& appends) {
  batch b;
  b.done.appends = appends.size();
  b.bytes.resize(batch_header_size);
  for (const auto& one : appends) {
    for (const auto& r : one.records) add_record(b, r);
  }
  if (auto s = make_room(b.bytes.size()); !s.ok()) return core::commit_failed{appends.size(), false, std::move(s)};
  batch_header header;
  header.payload_size = static_cast<std::uint32_t>(b.bytes.size() - batch_header_size);
  header.records = static_cast<std::uint32_t>(std::count(b.lost.begin(), b.lost.end(), false));
  header.sequence = active_.next_sequence;
  header.payload_crc = crc32c(b.crcs);
  encode(header, active_.header.salt, b.bytes.data());
  auto outcome = active_file_->write(active_.end, b.bytes);
  if (outcome.ok()) outcome = active_file_->sync_data();
  if (!outcome.ok()) {
    return core::commit_failed{appends.size(), true, make_status(reason::server_timeout, outcome.message)};
  }
  marked_ = false;
  place_records(b);
  return std::move(b.done);
}

/// The batch is durable: notes where its records stand.
void log_backend::place_records(batch& b) {
  for (std::size_t i = 0; i < b.offsets.size(); ++i) {
    if (b.lost[i]) {
      b.done.locations.push_back({});
      continue;
    }
    const auto next = i + 1 < b.offsets.size() ? b.offsets[i + 1] : b.bytes.size();
    const auto size = static_cast<std::uint32_t>(next - b.offsets[i]);
    const auto offset = static_cast<std::uint32_t>(active_.end + b.offsets[i]);
    append_footer_entry(active_.footer, std::string_view(b.bytes).substr(b.offsets[i], size), offset);
    ++active_.records;
    b.done.locations.push_back({active_.header.segment, offset, size});
  }
  active_.end += b.bytes.size();
  ++active_.next_sequence;
  b.done.disk = usage();
}

/// Zeros are written ahead of the data; an error here has changed nothing that counts.
status log_backend::make_room(std::uint64_t size) {
  if (active_.end + size <= active_.allocated) return {};
  const bool has_batches = active_.end > data_offset;
  if (has_batches && active_.end + size > options_.segment_bytes) return roll(size);
  const auto more = std::max<std::uint64_t>(options_.next_allocation, active_.end + size - active_.allocated);
  if (auto s = active_file_->write_zeros(active_.allocated, more); !s.ok()) return s;
  active_.allocated += more;
  std::lock_guard guard(mutex_);
  segments_.rbegin()->second.bytes = active_.allocated;
  return {};
}

/// First the new segment, then the old one's seal: a sealed segment always has a successor.
status log_backend::roll(std::uint64_t size) {
  const segment_content old = std::move(active_);
  const auto old_file = active_file_;
  if (auto s = begin_segment(old.header.segment + 1, old.next_sequence, size); !s.ok()) {
    active_ = old;
    return s;
  }
  // A seal that fails costs the next opening some time, nothing else.
  if (auto s = seal_segment(*old_file, old); !s.ok()) return {};
  std::lock_guard guard(mutex_);
  segments_.at(old.header.segment).bytes = old.end + old.footer.size();
  return {};
}

status log_backend::begin_segment(std::uint32_t number, std::uint64_t first_sequence, std::uint64_t needed) {
  segment_content fresh;
  fresh.header = {number, first_sequence, oldest_, static_cast<std::uint32_t>(options_.salt + number)};
  fresh.next_sequence = first_sequence;
  const bool first = number == 1;
  fresh.allocated = std::max(first ? options_.first_allocation : options_.next_allocation, data_offset + needed);
  auto made = create_segment(options_.directory, fresh.header, fresh.allocated);
  if (!made) return made.error();
  active_file_ = *made;
  active_ = std::move(fresh);
  marked_ = true;
  std::lock_guard guard(mutex_);
  segments_[number] = {active_file_, active_.allocated};
  return {};
}

/// Tells the next opening that everything so far was durable. It need not be durable itself: after a power failure an
/// intact log is recognised without it; after the death of the process it is there.
void log_backend::idle() {
  if (marked_ || !active_file_) return;
  segment_mark mark;
  mark.end = active_.end;
  mark.allocated = active_.allocated;
  marked_ = write_mark(*active_file_, mark).ok();
}

disk_usage log_backend::drop(std::uint32_t below) {
  {
    std::lock_guard guard(mutex_);
    oldest_ = std::max(oldest_, below);
    while (segments_.size() > 1 && segments_.begin()->first < below) {
      ::unlink(segments_.begin()->second.content->path().c_str());
      segments_.erase(segments_.begin());
    }
  }
  return usage();
}

void log_backend::close() {
  idle();
  if (active_file_) active_file_->sync_data();
  active_file_.reset();
  segments_.clear();
  lock_.reset();
}

}  // namespace troupe::store::log
