// The backend `embedded`: opening. Every segment is accounted for and checked before anything is served.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "actors/store/log/lock.hpp"
#include "actors/store/log/log_backend.hpp"
#include "messages/number.hpp"

namespace troupe::store::log {

result<std::vector<std::uint32_t>> list_segments(const std::string& directory) {
  DIR* open = ::opendir(directory.c_str());
  if (open == nullptr) return system_error("open " + directory);
  std::vector<std::uint32_t> numbers;
  while (const auto* entry = ::readdir(open)) {
    const std::string_view name = entry->d_name;
    const auto number = number_in<std::uint32_t>(name.substr(std::min(name.find('-') + 1, name.size())));
    if (number && segment_name(*number) == name) numbers.push_back(*number);
  }
  ::closedir(open);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

result<disk_usage> log_backend::open(const visitor& visit) {
  if (auto s = make_directories(options_.directory); !s.ok()) return s;
  auto lock = lock_directory(options_.directory);
  if (!lock) return lock.error();
  lock_ = *lock;
  auto numbers = list_segments(options_.directory);
  if (!numbers) return numbers.error();
  const auto outcome = numbers->empty() ? begin_segment(1, 1, 0) : open_segments(*numbers, visit);
  if (!outcome.ok()) {
    active_file_.reset();
    close();
    return outcome;
  }
  return usage();
}

status log_backend::open_segments(const std::vector<std::uint32_t>& numbers, const visitor& visit) {
  for (const auto number : numbers) {
    if (auto s = open_segment(number, number == numbers.back(), visit); !s.ok()) return s;
  }
  if (auto s = check_chain(numbers); !s.ok()) return s;
  drop(oldest_);  // left over by a death between writing "dropped" and deleting
  return settle_active();
}

status log_backend::open_segment(std::uint32_t number, bool last, const visitor& visit) {
  auto opened = file::open(options_.directory + "/" + segment_name(number), O_RDWR);
  if (!opened) return opened.error();
  auto content = inspect_segment(**opened, number);
  if (!content) return content.error();
  const bool follows = !segments_.empty() && segments_.rbegin()->first + 1 == number;
  if (follows && active_.next_sequence != content->header.first_sequence) {
    return corrupt_segment(*active_file_, "batches from " + std::to_string(active_.next_sequence) + " to " +
                                              std::to_string(content->header.first_sequence - 1) + " are missing");
  }
  if (last && content->mark.sealed) return corrupt_segment(**opened, "the segment after it is missing");
  oldest_ = std::max(oldest_, content->header.oldest_segment);
  const auto each = [&](const record_view& r, location at) {
    if (r.kind == record_kind::dropped) oldest_ = std::max(oldest_, static_cast<std::uint32_t>(r.revision));
    visit(to_record(r), at);
  };
  if (auto s = load_segment(**opened, *content, each); !s.ok()) return s;
  if (!last && !content->mark.sealed) {
    if (auto s = seal_segment(**opened, *content); !s.ok()) return s;
    content->allocated = content->end + content->footer.size();
  }
  segments_[number] = {*opened, content->allocated};
  active_ = std::move(*content);
  active_file_ = *opened;
  return {};
}

/// Nothing between the oldest segment and the newest may be missing.
status log_backend::check_chain(const std::vector<std::uint32_t>& numbers) const {
  std::uint32_t expected = oldest_;
  for (const auto number : numbers) {
    if (number < oldest_) continue;
    if (number != expected) {
      return store_error("store: " + options_.directory + "/" + segment_name(expected) + " is missing");
    }
    ++expected;
  }
  return {};
}

/// What a commit left unfinished at the end was never acknowledged and is wiped. What is served from here on must be
/// durable, though the process before may have died between writing and syncing it.
status log_backend::settle_active() {
  if (active_.torn) {
    if (auto s = active_file_->write_zeros(active_.end, active_.allocated - active_.end); !s.ok()) return s;
  }
  idle();
  return active_file_->sync_data();
}

}  // namespace troupe::store::log
