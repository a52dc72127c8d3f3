// The body of an answer on its way out: shared pieces, read piecewise by the protocol that sends it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "messages/bytes.hpp"

namespace troupe::gateway {

class body_stream;

/// Makes the next part of a body when the client has taken what there was.
class body_source {
 public:
  virtual ~body_source() = default;
  /// Adds a bounded part to the stream, or ends it, or does nothing when there is nothing now.
  virtual void refill(body_stream& into) = 0;
};

/// A queue of pieces. Nothing is copied until read() copies into the buffer that TLS encrypts.
class body_stream {
 public:
  void append(piece part);
  /// No more will be appended.
  void end() { ended_ = true; }
  /// From now on empty streams ask this source.
  void set_source(std::unique_ptr<body_source> source) { source_ = std::move(source); }
  body_source* source() const { return source_.get(); }

  /// Bytes that read() can give now; asks the source for more while there are fewer than `wanted`. May exceed `wanted`.
  std::size_t available(std::size_t wanted);
  /// Appends exactly `size` bytes, no more than available, to `out`.
  void read(std::string& out, std::size_t size);
  /// All has been read and no more will come.
  bool finished() const { return ended_ && size_ == 0; }
  /// Whether finished() holds once `size` more bytes have been read.
  bool ends_after(std::size_t size) const { return ended_ && size_ == size; }
  /// Bytes appended and not read.
  std::size_t size() const { return size_; }
  /// Hands the pieces over, leaving the stream empty.
  std::vector<piece> take();
  void clear();

 private:
  std::vector<piece> parts_;
  std::size_t next_ = 0;    // of parts_
  std::size_t offset_ = 0;  // in parts_[next_]
  std::size_t size_ = 0;
  bool ended_ = false;
  std::unique_ptr<body_source> source_;
};

/// Compresses pieces (gzip, level 1 as Kubernetes does) a slice at a time, so that no large answer holds up its thread.
class gzip_source final : public body_source {
 public:
  explicit gzip_source(std::vector<piece> plain);
  ~gzip_source() override;
  void refill(body_stream& into) override;

 private:
  struct deflater;
  std::unique_ptr<deflater> deflater_;
  std::vector<piece> plain_;
  std::size_t next_ = 0;
  std::size_t offset_ = 0;
};

}  // namespace troupe::gateway
