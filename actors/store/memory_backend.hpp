// The backend of tests and simulations: a log in memory, durable at once, with the same segments as the real one.
#pragma once

#include <map>
#include <vector>

#include "actors/store/backend.hpp"

namespace troupe::store {

/// Survives the actor that uses it when its owner keeps it: opening it again reads everything back.
class memory_backend final : public backend {
 public:
  explicit memory_backend(std::uint64_t segment_bytes = 1 << 20) : segment_bytes_(segment_bytes) {}

  result<disk_usage> open(const visitor& visit) override;
  core::event commit(const std::vector<core::append>& appends) override;
  result<shared_bytes> read(const place& from) override;
  disk_usage drop(std::uint32_t below) override;
  bool immediate() const override { return true; }

  /// The next commits fail, with a known or an unknown outcome, until reset (disk faults).
  enum class fault : std::uint8_t { none, full, lost };
  void set_fault(fault f) { fault_ = f; }
  /// From now on the record cannot be read.
  void spoil(std::uint64_t revision) { spoiled_.push_back(revision); }

 private:
  struct segment {
    std::vector<record> records;
    std::uint64_t bytes = 0;
  };
  location add(record r);
  disk_usage usage() const;

  std::uint64_t segment_bytes_;
  std::map<std::uint32_t, segment> segments_{{1, {}}};
  fault fault_ = fault::none;
  std::vector<std::uint64_t> spoiled_;
};

}  // namespace troupe::store
