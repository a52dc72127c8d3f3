// Writing, checking and restoring snapshot files.
#include "actors/store/snapshot.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "actors/store/log/crc32c.hpp"
#include "actors/store/log/format.hpp"
#include "actors/store/log/lock.hpp"
#include "actors/store/log/log_backend.hpp"

namespace troupe::store {
namespace {

using namespace log;

constexpr char magic[8] = {'T', 'R', 'P', 'S', 'N', 'A', 'P', '1'};
constexpr std::size_t header_size = 24;
constexpr std::size_t flush_bytes = 1 << 20;
// Revisions are int64 to clients; half of that leaves the store as much again to count on.
constexpr std::uint64_t last_restored_revision = std::uint64_t{1} << 62;
constexpr std::size_t restore_batch = 512;  // records of one commit

std::string header_of(std::uint64_t revision) {
  std::string bytes(header_size, '\0');
  std::memcpy(bytes.data(), magic, sizeof magic);
  std::memcpy(bytes.data() + 8, &revision, sizeof revision);
  const std::uint32_t crc = crc32c(std::string_view(bytes).substr(0, 16));
  std::memcpy(bytes.data() + 16, &crc, sizeof crc);
  return bytes;
}

status damaged(const file& f, std::uint64_t offset, const std::string& what) {
  return store_error("store: " + f.path() + " is damaged at offset " + std::to_string(offset) + ": " + what);
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Reads a snapshot and visits its records, the last one left out.
class snapshot_reader {
 public:
  using visitor = std::function<status(const record_view&)>;

  explicit snapshot_reader(const file& from) : file_(from) {}

  result<snapshot_summary> run(const visitor& visit) {
    auto size = file_.size();
    if (!size) return size.error();
    sum_.bytes = *size;
    if (auto s = read_header(); !s.ok()) return s;
    while (at_ < sum_.bytes) {
      if (auto s = read_record(visit); !s.ok()) return s;
      if (ended_ && at_ < sum_.bytes) return damaged(file_, at_, "there is something after its end");
    }
    if (!ended_) return damaged(file_, at_, "it is cut off");
    return sum_;
  }

 private:
  status read_header() {
    auto bytes = file_.read(0, header_size);
    if (!bytes) return bytes.error();
    if (bytes->size() < header_size || std::memcmp(bytes->data(), magic, sizeof magic) != 0)
      return store_error("store: " + file_.path() + " is no snapshot of a store");
    std::memcpy(&sum_.revision, bytes->data() + 8, sizeof sum_.revision);
    if (*bytes != header_of(sum_.revision)) return damaged(file_, 0, "header (checksum)");
    at_ = header_size;
    return {};
  }

  status read_record(const visitor& visit) {
    auto head = file_.read(at_, record_header_size);
    if (!head) return head.error();
    if (head->size() < record_header_size) return damaged(file_, at_, "it is cut off");
    std::uint32_t size = 0;
    std::memcpy(&size, head->data() + 4, sizeof size);
    if (size < record_header_size || size > sum_.bytes - at_) return damaged(file_, at_, "record (size), or cut off");
    auto bytes = file_.read(at_, size);
    if (!bytes) return bytes.error();
    auto r = parse_record(*bytes);
    if (!r) return damaged(file_, at_, "record (checksum)");
    if (r->kind == record_kind::compacted) return check_end(*r);
    chain_ = crc32c(std::string_view(*bytes).substr(0, 4), chain_);
    at_ += size;
    ++(r->kind == record_kind::put ? sum_.keys : sum_.leases);
    return visit(*r);
  }

  status check_end(const record_view& r) {
    if (r.revision != sum_.revision || r.create_revision != sum_.keys + sum_.leases || r.version != chain_)
      return damaged(file_, at_, "the end does not match the records");
    at_ += r.size;
    ended_ = true;
    return {};
  }

  const file& file_;
  snapshot_summary sum_;
  std::uint64_t at_ = 0;
  std::uint32_t chain_ = 0;
  bool ended_ = false;
};

/// Puts records into a new log, in commits of a bearable size.
class log_filler {
 public:
  explicit log_filler(log_backend& to) : to_(to) {}

  status add(record r) {
    next_.records.push_back(std::move(r));
    return next_.records.size() < restore_batch ? status() : commit();
  }
  status commit() {
    auto outcome = to_.commit({std::exchange(next_, {})});
    auto* failed = std::get_if<core::commit_failed>(&outcome);
    return failed ? failed->error : status();
  }
  /// Begins `revision` with everything before compacted.
  status finish(std::uint64_t revision) {
    record compacted;
    compacted.kind = record_kind::compacted;
    compacted.revision = revision;
    next_.records.push_back(std::move(compacted));
    record newest;  // also tells the newest revision, which no key may have
    newest.kind = record_kind::dropped;
    newest.revision = 1;
    newest.create_revision = revision;
    next_.records.push_back(std::move(newest));
    return commit();
  }

 private:
  log_backend& to_;
  core::append next_;
};

/// `directory` becomes a store of the snapshot's records.
status fill(const file& from, const std::string& directory, std::uint64_t revision, std::uint64_t salt) {
  log_options how;
  how.directory = directory;
  how.salt = salt;
  log_backend made(how);
  auto opened = made.open([](const record&, location) {});
  if (!opened) return opened.error();
  log_filler filler(made);
  auto copied = snapshot_reader(from).run([&](const record_view& v) {
    auto r = to_record(v);
    if (r.kind == record_kind::put) r.value = shared_bytes(std::string(v.value));
    return filler.add(std::move(r));
  });
  if (!copied) return copied.error();
  auto outcome = filler.finish(revision);
  made.close();
  return outcome;
}

status remove_directory(const std::string& directory) {
  auto numbers = list_segments(directory);
  if (!numbers) return {};
  for (const auto number : *numbers) ::unlink((directory + "/" + segment_name(number)).c_str());
  ::unlink((directory + "/lock").c_str());
  return ::rmdir(directory.c_str()) == 0 ? status() : system_error("remove " + directory);
}

}  // namespace

result<snapshot_writer> snapshot_writer::create(const std::string& path, std::uint64_t revision) {
  auto made = file::open(path + ".partial", O_RDWR | O_CREAT | O_TRUNC);
  if (!made) return made.error();
  snapshot_writer w;
  w.path_ = path;
  w.file_ = *made;
  w.sum_.revision = revision;
  w.buffer_ = header_of(revision);
  return w;
}

status snapshot_writer::append(const record& r) {
  const auto crc = append_record(buffer_, r);
  chain_ = crc32c({reinterpret_cast<const char*>(&crc), sizeof crc}, chain_);
  return buffer_.size() < flush_bytes ? status() : flush();
}

status snapshot_writer::flush() {
  if (auto s = file_->write(written_, buffer_); !s.ok()) return s;
  written_ += buffer_.size();
  buffer_.clear();
  return {};
}

status snapshot_writer::add_lease(std::int64_t id, std::int64_t ttl_seconds) {
  record r;
  r.kind = record_kind::lease_granted;
  r.lease = id;
  r.ttl = ttl_seconds;
  ++sum_.leases;
  return append(r);
}

status snapshot_writer::add(const key_value& kv) {
  record r;
  r.revision = kv.mod_revision;
  r.create_revision = kv.create_revision;
  r.version = kv.version;
  r.lease = kv.lease;
  r.key = kv.key;
  r.value = kv.value;
  ++sum_.keys;
  return append(r);
}

result<snapshot_summary> snapshot_writer::finish() {
  record end;
  end.kind = record_kind::compacted;
  end.revision = sum_.revision;
  end.create_revision = sum_.keys + sum_.leases;
  end.version = chain_;
  if (auto s = append(end); !s.ok()) return s;
  if (auto s = flush(); !s.ok()) return s;
  if (auto s = file_->sync_data(); !s.ok()) return s;
  if (std::rename(file_->path().c_str(), path_.c_str()) != 0) return system_error("rename " + file_->path());
  if (auto s = sync_directory(directory_of(path_)); !s.ok()) return s;
  sum_.bytes = written_;
  return sum_;
}

result<snapshot_summary> check_snapshot(const std::string& path) {
  auto opened = file::open(path, O_RDONLY);
  if (!opened) return opened.error();
  return snapshot_reader(**opened).run([](const record_view&) { return status(); });
}

result<snapshot_summary> restore_snapshot(const std::string& path, const std::string& data_dir, std::uint64_t bump,
                                          std::uint64_t salt) {
  auto checked = check_snapshot(path);
  if (!checked) return checked;
  if (bump > last_restored_revision || checked->revision > last_restored_revision - bump) {
    return store_error("store: revision " + std::to_string(checked->revision) + " cannot jump by " +
                       std::to_string(bump) + ": the store would begin beyond revision " +
                       std::to_string(last_restored_revision));
  }
  if (auto s = make_directories(data_dir); !s.ok()) return s;
  auto lock = lock_directory(data_dir);
  if (!lock) return lock.error();
  const std::string final_place = data_dir + "/store";
  if (::access(final_place.c_str(), F_OK) == 0)
    return store_error("store: " + final_place + " is there already; move it away to put the snapshot in its place");
  const std::string place = data_dir + "/store.restoring";
  if (auto s = remove_directory(place); !s.ok()) return s;
  auto opened = file::open(path, O_RDONLY);
  if (!opened) return opened.error();
  if (auto s = fill(**opened, place, checked->revision + bump, salt); !s.ok()) return s;
  if (std::rename(place.c_str(), final_place.c_str()) != 0) return system_error("rename " + place);
  if (auto s = sync_directory(data_dir); !s.ok()) return s;
  return checked;
}

}  // namespace troupe::store
