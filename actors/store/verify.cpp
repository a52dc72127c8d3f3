// Checks a data directory byte by byte.
#include "actors/store/verify.hpp"

#include <fcntl.h>

#include <algorithm>

#include "actors/store/log/crc32c.hpp"
#include "actors/store/log/lock.hpp"
#include "actors/store/log/log_backend.hpp"

namespace troupe::store {
namespace {

using namespace log;

/// The footer of a sealed segment, which scanning does not look at.
void check_footer(const file& f, const segment_content& content, verify_report& report) {
  if (!content.mark.sealed) return;
  auto footer = f.read(content.mark.end, content.mark.footer_size);
  if (!footer) return report.problems.push_back(footer.error().message);
  if (crc32c(*footer) != content.mark.footer_crc) {
    report.problems.push_back(corrupt_segment(f, "footer (checksum); opening reads the records instead").message);
  } else if (*footer != content.footer) {
    report.problems.push_back(corrupt_segment(f, "footer does not match the records").message);
  }
}

void check_segment(const std::string& path, std::uint32_t number, std::uint64_t& sequence, verify_report& report) {
  auto opened = file::open(path, O_RDONLY);
  if (!opened) return report.problems.push_back(opened.error().message);
  auto content = inspect_segment(**opened, number);
  if (!content) return report.problems.push_back(content.error().message);
  report.bytes += content->allocated;
  if (sequence != 0 && sequence != content->header.first_sequence) {
    report.problems.push_back(corrupt_segment(**opened, "batches before it are missing").message);
  }
  const auto each = [&](const record_view& r, location) {
    ++report.records;
    const bool version = r.kind == record_kind::put || r.kind == record_kind::erase;
    if (version) report.revision = std::max(report.revision, r.revision);
  };
  const auto scanned = scan_segment(**opened, *content, each);
  sequence = scanned.ok() ? content->next_sequence : 0;
  if (!scanned.ok()) return report.problems.push_back(scanned.message);
  check_footer(**opened, *content, report);
}

}  // namespace

result<verify_report> verify(const std::string& data_dir) {
  const std::string directory = data_dir + "/store";
  auto numbers = list_segments(directory);
  if (!numbers) return numbers.error();
  auto lock = lock_directory(directory);
  if (!lock) return lock.error();
  verify_report report;
  std::uint64_t sequence = 0;
  std::uint32_t expected = numbers->empty() ? 0 : numbers->front();
  for (const auto number : *numbers) {
    for (; expected < number; ++expected) report.problems.push_back(segment_name(expected) + " is missing");
    check_segment(directory + "/" + segment_name(number), number, sequence, report);
    ++report.segments;
    ++expected;
  }
  return report;
}

}  // namespace troupe::store
