// See store_tools.hpp.
#include "runtime/placement/store_tools.hpp"

#include <filesystem>
#include <set>

#include "actors/store/snapshot.hpp"
#include "actors/store/verify.hpp"
#include "runtime/services.hpp"

namespace troupe::runtime {
namespace {

constexpr std::uint64_t page_keys = 250;

store_summary summary_of(const store::snapshot_summary& from) {
  store_summary out;
  out.revision = from.revision;
  out.keys = from.keys;
  out.leases = from.leases;
  out.bytes = from.bytes;
  return out;
}

/// The leases of a page's keys. One that ended meanwhile took its keys with it: in the snapshot they get a second.
status copy_leases(const store_source& from, const store::range_reply& page, std::set<std::int64_t>& known,
                   store::snapshot_writer& to) {
  for (const auto& kv : page.kvs) {
    if (kv.lease == 0 || !known.insert(kv.lease).second) continue;
    auto found = from.lease(kv.lease);
    if (!found && found.error().why != reason::not_found) return found.error();
    if (auto s = to.add_lease(kv.lease, found ? found->ttl_seconds : 1); !s.ok()) return s;
  }
  return {};
}

result<store_summary> copy_all(const store_source& from, const std::string& file) {
  store::range order;
  order.key = "/registry/";
  order.range_end = "/registry0";
  order.limit = page_keys;
  auto page = from.range(order);
  if (!page) return page.error();
  order.revision = page->revision;
  auto to = store::snapshot_writer::create(file, order.revision);
  if (!to) return to.error();
  std::set<std::int64_t> leases;
  for (;;) {
    if (auto s = copy_leases(from, *page, leases, *to); !s.ok()) return s;
    for (const auto& kv : page->kvs)
      if (auto s = to->add(kv); !s.ok()) return s;
    if (!page->more || page->kvs.empty()) break;
    order.key = page->kvs.back().key + '\0';
    page = from.range(order);
    if (!page) return page.error();
  }
  auto done = to->finish();
  if (!done) return done.error();
  return summary_of(*done);
}

}  // namespace

result<store_summary> take_snapshot(const store_source& from, const std::string& file) {
  auto outcome = copy_all(from, file);
  for (int again = 0; again < 2 && !outcome && outcome.error().code == 410; ++again) outcome = copy_all(from, file);
  if (!outcome) std::filesystem::remove(file + ".partial");
  return outcome;
}

result<store_summary> verify_store(const std::string& path) {
  if (!std::filesystem::is_directory(path)) {
    auto checked = store::check_snapshot(path);
    if (!checked) return checked.error();
    return summary_of(*checked);
  }
  auto found = store::verify(path);
  if (!found) return found.error();
  store_summary out;
  out.revision = found->revision;
  out.segments = found->segments;
  out.records = found->records;
  out.bytes = found->bytes;
  out.problems = std::move(found->problems);
  return out;
}

result<store_summary> restore_store(const std::string& file, const std::string& data_dir, std::uint64_t bump) {
  real_services outside;
  auto restored = store::restore_snapshot(file, data_dir, bump, outside.random_u64());
  if (!restored) return restored.error();
  auto out = summary_of(*restored);
  out.revision += bump;
  return out;
}

}  // namespace troupe::runtime
