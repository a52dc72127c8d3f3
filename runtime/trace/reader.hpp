// Reads traces back: frames in order, objects by reference.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "messages/object_reference.hpp"
#include "messages/status.hpp"
#include "runtime/trace/frame.hpp"

namespace troupe::trace {

/// Frames of one segment file, or of all segments of a directory in order. Objects met on the way stay known.
class reader {
 public:
  static result<reader> open(const std::string& path);
  reader(reader&&) noexcept;
  reader& operator=(reader&&) noexcept;
  ~reader();

  /// The next frame; false at the end, or where the rest cannot be read (see error()).
  bool next(frame& out);
  /// What is wrong with the file; ok when everything was read. A segment that ends in the middle of a frame, as after
  /// kill -9, is no error.
  const status& error() const { return error_; }
  bool truncated() const { return truncated_; }

  /// The object of that reference, or null when no frame so far had it.
  object_ptr find(const object_reference& reference) const;
  /// What the alternative of an event or effect frame is called ("pod_observed"); "alternative 3" where the trace does
  /// not say.
  std::string name_of(const frame& one) const;
  /// The layout of that fingerprint, or null.
  const core_layout* layout(std::uint64_t fingerprint) const;
  /// The file that the last frame came from.
  const std::string& file() const;

 private:
  reader();
  bool open_next_file();
  bool fill();
  bool fail(const std::string& why);
  bool accept(const frame& one);
  void keep_object(const frame& from);

  struct decoder;
  std::unique_ptr<decoder> decoder_;
  std::vector<std::string> files_;
  std::size_t next_file_ = 0;
  std::map<object_reference, object_ptr> objects_;
  std::map<std::uint64_t, core_layout> layouts_;
  std::map<std::string, std::uint64_t> layout_of_;  // by component
  status error_;
  bool truncated_ = false;
};

}  // namespace troupe::trace
