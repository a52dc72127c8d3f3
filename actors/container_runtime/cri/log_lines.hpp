// A container's log as CRI runtimes write it: "TIME STREAM TAGS TEXT\n", where TAGS is F for a full line or P for a
// part of one. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::cri {

struct log_line {
  std::string_view time;  // RFC 3339
  std::string_view stream;
  std::string_view text;
  bool partial = false;
};

/// Takes one line apart (without its newline); false when it is none.
bool parse_log_line(std::string_view raw, log_line& out);

/// Nanoseconds since the epoch of an RFC 3339 time; false when it is none.
bool parse_log_time(std::string_view text, std::int64_t& out_ns);

/// What a reader wants of the lines.
struct log_choice {
  bool timestamps = false;
  std::int64_t since_ns = 0;     // only lines not older
  std::int64_t limit_bytes = 0;  // 0: all
};

/// Turns raw lines into what the reader gets.
class log_filter {
 public:
  explicit log_filter(log_choice choice) : choice_(choice) {}

  /// Whole raw lines, each with its newline. What is no CRI line is passed over, as a kubelet does.
  void take(std::string_view raw, std::string& out);
  /// The byte limit is reached: nothing more will come.
  bool full() const { return full_; }

 private:
  bool wanted(const log_line& line);

  log_choice choice_;
  bool since_passed_ = false;
  bool inside_ = false;  // the last line was a part: the next one continues it
  bool full_ = false;
  std::int64_t given_ = 0;
};

/// Where the last `lines` lines of the text begin. Bytes behind the last newline do not count as a line.
std::size_t tail_begin(std::string_view text, std::int64_t lines);

}  // namespace troupe::cri
