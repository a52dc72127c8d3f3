// Compressed trace segments with rotation.
#include "runtime/trace/segment_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "messages/redaction.hpp"

namespace troupe::trace {

namespace {

constexpr std::string_view suffix = ".trace.zst";

std::string segment_name(std::uint64_t number) {
  auto digits = std::to_string(number);
  return std::string(8 - std::min<std::size_t>(8, digits.size()), '0') + digits + std::string(suffix);
}

/// The number in a segment's file name, or 0 when it is no segment.
std::uint64_t segment_number(const std::string& name) {
  if (!name.ends_with(suffix)) return 0;
  std::uint64_t number = 0;
  for (char c : std::string_view(name).substr(0, name.size() - suffix.size())) {
    if (c < '0' || c > '9') return 0;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

/// The object's JSON as it may stand in a trace.
std::string traceable_json(const object& one) {
  return resource_label(one.resource) == "/v1/secrets" ? redact_secrets(one.json.view()) : std::string(one.json.view());
}

}  // namespace

segment_writer::segment_writer(const recorder_options& options) : options_(options), compressor_(ZSTD_createCCtx()) {
  ZSTD_CCtx_setParameter(compressor_, ZSTD_c_compressionLevel, 1);
  ZSTD_CCtx_setParameter(compressor_, ZSTD_c_checksumFlag, 1);
}

segment_writer::~segment_writer() {
  close_segment();
  ZSTD_freeCCtx(compressor_);
}

status segment_writer::start() {
  namespace fs = std::filesystem;
  std::error_code failed;
  fs::create_directories(options_.directory, failed);
  if (failed) return internal_error("trace directory " + options_.directory + ": " + failed.message());
  ::chmod(options_.directory.c_str(), 0700);
  std::vector<std::pair<std::uint64_t, std::pair<std::string, std::uint64_t>>> found;
  for (const auto& file : fs::directory_iterator(options_.directory, failed)) {
    auto number = segment_number(file.path().filename().string());
    if (number == 0) continue;
    std::error_code unreadable;
    auto size = file.file_size(unreadable);
    if (!unreadable) found.push_back({number, {file.path().string(), size}});
  }
  std::sort(found.begin(), found.end());
  for (auto& [number, segment] : found) {
    number_ = number;
    closed_bytes_ += segment.second;
    closed_.push_back(std::move(segment));
  }
  return open_segment();
}

status segment_writer::open_segment() {
  ++number_;
  segment_bytes_ = 0;
  written_.clear();
  layouts_.clear();
  broken_ = false;
  drop_oldest();
  auto path = options_.directory + "/" + segment_name(number_);
  file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file_ < 0) {
    broken_ = true;
    return internal_error("trace segment " + path + ": " + std::strerror(errno));
  }
  ZSTD_CCtx_reset(compressor_, ZSTD_reset_session_only);
  put(pack_opening(TROUPE_VERSION, options_.wall_ms, options_.configuration));
  flush();
  return {};
}

void segment_writer::close_segment() {
  if (file_ < 0) return;
  compress({}, ZSTD_e_end);
  ::close(file_);
  file_ = -1;
  closed_.emplace_back(options_.directory + "/" + segment_name(number_), segment_bytes_);
  closed_bytes_ += segment_bytes_;
}

// Leaves room for a full segment below the bound.
void segment_writer::drop_oldest() {
  while (!closed_.empty() && closed_bytes_ + options_.segment_bytes > options_.max_bytes) {
    ::unlink(closed_.front().first.c_str());
    closed_bytes_ -= closed_.front().second;
    closed_.pop_front();
  }
}

void segment_writer::write(std::string_view frames, const std::vector<object_ptr>& objects, const core_layout* layout) {
  if (layout && layouts_.insert(layout->fingerprint).second) put(pack_layout(*layout));
  for (const auto& one : objects) {
    if (!written_.insert({one->resource, one->revision, std::string(one->uid)}).second) continue;
    put(pack_object(resource_label(one->resource), one->namespace_name, one->name, one->uid, one->revision,
                    one->created, traceable_json(*one)));
  }
  put(frames);
}

void segment_writer::put(std::string_view bytes) {
  ++frames_;
  compress(bytes, ZSTD_e_continue);
}

void segment_writer::flush() { compress({}, ZSTD_e_flush); }

void segment_writer::compress(std::string_view bytes, int mode) {
  if (broken_ || file_ < 0) return;
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  buffer_.resize(ZSTD_CStreamOutSize());
  for (;;) {
    ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
    auto left = ZSTD_compressStream2(compressor_, &out, &in, static_cast<ZSTD_EndDirective>(mode));
    if (ZSTD_isError(left)) {
      broken_ = true;
      return;
    }
    for (std::size_t done = 0; done < out.pos;) {
      auto wrote = ::write(file_, buffer_.data() + done, out.pos - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) {
        broken_ = true;  // a full disk ends the recording, not the program
        return;
      }
      done += static_cast<std::size_t>(wrote);
    }
    segment_bytes_ += out.pos;
    bool finished = mode == ZSTD_e_continue ? in.pos == in.size : left == 0;
    if (finished) return;
  }
}

bool segment_writer::rotate_if_full() {
  if (segment_bytes_ < options_.segment_bytes && !broken_) return false;
  close_segment();
  return open_segment().ok();
}

}  // namespace troupe::trace
