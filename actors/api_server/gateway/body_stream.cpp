// Pieces out, one memcpy each, and the gzip source.
#include "actors/api_server/gateway/body_stream.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include <zlib.h>

namespace troupe::gateway {

void body_stream::append(piece part) {
  if (part.size == 0) return;
  size_ += part.size;
  if (next_ == parts_.size()) {
    parts_.clear();
    next_ = 0;
  }
  parts_.push_back(std::move(part));
}

std::size_t body_stream::available(std::size_t wanted) {
  while (size_ < wanted && source_ && !ended_) {
    auto before = size_;
    source_->refill(*this);
    if (size_ == before) break;
  }
  return size_;
}

void body_stream::read(std::string& out, std::size_t size) {
  size_ -= size;
  while (size > 0) {
    auto& part = parts_[next_];
    auto length = std::min(size, part.size - offset_);
    out.append(part.view().substr(offset_, length));
    offset_ += length;
    size -= length;
    if (offset_ < part.size) continue;
    part = {};  // gives up its share of the bytes now, not when the whole answer is out
    ++next_;
    offset_ = 0;
  }
  if (next_ > 64 && next_ * 2 > parts_.size()) {
    parts_.erase(parts_.begin(), parts_.begin() + static_cast<std::ptrdiff_t>(next_));
    next_ = 0;
  }
}

std::vector<piece> body_stream::take() {
  auto parts = std::move(parts_);
  parts_.clear();
  next_ = offset_ = size_ = 0;
  return parts;
}

void body_stream::clear() {
  take();
  source_.reset();
  ended_ = true;
}

struct gzip_source::deflater {
  z_stream stream{};
  deflater() {
    // 15 + 16 window bits: the gzip format.
    if (deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::runtime_error("deflateInit2 failed");
  }
  ~deflater() { deflateEnd(&stream); }
  deflater(const deflater&) = delete;
  deflater& operator=(const deflater&) = delete;
};

gzip_source::gzip_source(std::vector<piece> plain)
    : deflater_(std::make_unique<deflater>()), plain_(std::move(plain)) {}
gzip_source::~gzip_source() = default;

void gzip_source::refill(body_stream& into) {
  constexpr std::size_t slice = 16 * 1024;  // of plain text: about 150 us
  std::array<unsigned char, slice> buffer;
  std::string packed;
  std::size_t taken = 0;
  auto& z = deflater_->stream;
  int outcome = Z_OK;
  while (outcome != Z_STREAM_END && (taken < slice || packed.empty())) {
    bool last = next_ == plain_.size();
    auto text = last ? std::string_view() : plain_[next_].view().substr(offset_, slice);
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    z.avail_in = static_cast<uInt>(text.size());
    do {
      z.next_out = buffer.data();
      z.avail_out = static_cast<uInt>(buffer.size());
      outcome = deflate(&z, last ? Z_FINISH : Z_NO_FLUSH);
      packed.append(reinterpret_cast<char*>(buffer.data()), buffer.size() - z.avail_out);
    } while (z.avail_out == 0 && outcome != Z_STREAM_END);
    taken += text.size();
    offset_ += text.size();
    if (!last && offset_ == plain_[next_].size) {
      plain_[next_++] = {};
      offset_ = 0;
    }
  }
  into.append(piece(shared_bytes(std::move(packed))));
  if (outcome == Z_STREAM_END) into.end();
}

}  // namespace troupe::gateway
