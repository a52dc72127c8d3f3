// The backend of tests and simulations.
#include "actors/store/memory_backend.hpp"

#include <algorithm>
#include <utility>

namespace troupe::store {

result<disk_usage> memory_backend::open(const visitor& visit) {
  for (auto& [number, content] : segments_) {
    for (std::uint32_t i = 0; i < content.records.size(); ++i) {
      const auto& r = content.records[i];
      record bare = r;
      bare.value = {};
      visit(std::move(bare), {number, i, static_cast<std::uint32_t>(64 + r.key.size() + r.value.size())});
    }
  }
  return usage();
}

location memory_backend::add(record r) {
  if (segments_.rbegin()->second.bytes > segment_bytes_) segments_[segments_.rbegin()->first + 1];
  auto& [number, content] = *segments_.rbegin();
  const auto size = static_cast<std::uint32_t>(64 + r.key.size() + r.value.size());
  content.bytes += size;
  r.prior = {};
  content.records.push_back(std::move(r));
  return {number, static_cast<std::uint32_t>(content.records.size() - 1), size};
}

core::event memory_backend::commit(const std::vector<core::append>& appends) {
  if (fault_ == fault::full) {
    return core::commit_failed{appends.size(), false, store_error("store: no space left on device")};
  }
  if (fault_ == fault::lost) {
    return core::commit_failed{appends.size(), true, make_status(reason::server_timeout, "store: sync failed")};
  }
  core::batch_durable done;
  done.appends = appends.size();
  for (const auto& one : appends) {
    for (const auto& r : one.records) {
      if (r.prior.at.known()) {
        auto value = read(r.prior);
        done.priors.push_back({static_cast<std::uint32_t>(done.locations.size()), value ? *value : shared_bytes()});
      }
      if (!r.source.at.known()) {
        done.locations.push_back(add(r));
      } else if (!read(r.source)) {
        done.locations.push_back({});
      } else {
        done.locations.push_back(add(segments_.at(r.source.at.segment).records.at(r.source.at.offset)));
      }
    }
  }
  done.disk = usage();
  return done;
}

result<shared_bytes> memory_backend::read(const place& from) {
  if (std::find(spoiled_.begin(), spoiled_.end(), from.revision) != spoiled_.end()) {
    return corrupt_record(from.revision);
  }
  return segments_.at(from.at.segment).records.at(from.at.offset).value;
}

disk_usage memory_backend::drop(std::uint32_t below) {
  segments_.erase(segments_.begin(), segments_.lower_bound(below));
  return usage();
}

disk_usage memory_backend::usage() const {
  disk_usage u;
  for (const auto& [number, content] : segments_) u.bytes += content.bytes;
  u.oldest_segment = segments_.begin()->first;
  u.active_segment = segments_.rbegin()->first;
  return u;
}

}  // namespace troupe::store
