// Skipping through JSON in 64-byte blocks: bit masks of quotes and brackets, strings masked out.
#include "messages/json_scanner.hpp"

#include <emmintrin.h>

#include <bit>
#include <cstring>

namespace troupe {
namespace {

struct block_masks {
  std::uint64_t quotes = 0, slashes = 0, opens = 0, closes = 0;
};

block_masks masks_of(const char* at) {
  block_masks out;
  for (int part = 0; part < 4; ++part) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + part * 16));
    // { and [ differ in one bit, as do } and ].
    const __m128i folded = _mm_or_si128(x, _mm_set1_epi8(0x20));
    auto bits = [&](__m128i equal) {
      return static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(equal))) << part * 16;
    };
    out.quotes |= bits(_mm_cmpeq_epi8(x, _mm_set1_epi8('"')));
    out.slashes |= bits(_mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));
    out.opens |= bits(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')));
    out.closes |= bits(_mm_cmpeq_epi8(folded, _mm_set1_epi8('}')));
  }
  return out;
}

/// Bit i of the result is the parity of bits 0..i.
std::uint64_t running_parity(std::uint64_t bits) {
  for (int shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
  return bits;
}

/// Bits of the characters that a backslash makes literal; `carry` says so of the block's first, then of the next's.
std::uint64_t escaped_bits(std::uint64_t slashes, bool& carry) {
  std::uint64_t escaped = carry ? 1 : 0;
  carry = false;
  slashes &= ~escaped;
  while (slashes != 0) {
    const int at = std::countr_zero(slashes);
    slashes &= slashes - 1;
    if (at == 63) {
      carry = true;
      break;
    }
    escaped |= std::uint64_t{2} << at;
    slashes &= ~(std::uint64_t{2} << at);
  }
  return escaped;
}

}  // namespace

bool json_scanner::string(span& out) {
  if (!take('"')) return false;
  out.offset = at_;
  out.escaped = false;
  out.present = true;
  while (true) {
    const char* start = text_.data() + at_;
    const auto* quote = static_cast<const char*>(std::memchr(start, '"', text_.size() - at_));
    if (!quote) return false;
    at_ = static_cast<std::size_t>(quote - text_.data()) + 1;
    std::size_t slashes = 0;
    while (quote - slashes > text_.data() + out.offset && quote[-1 - static_cast<std::ptrdiff_t>(slashes)] == '\\')
      ++slashes;
    if (slashes % 2 == 0) break;
  }
  out.size = at_ - 1 - out.offset;
  out.escaped = std::memchr(text_.data() + out.offset, '\\', out.size) != nullptr;
  return true;
}

bool json_scanner::key(std::string_view& out) {
  span found;
  if (!string(found) || !take(':')) return false;
  out = text_.substr(found.offset, found.size);
  return true;
}

bool json_scanner::skip_value() {
  span ignored;
  switch (peek()) {
    case '"':
      return string(ignored);
    case '{':
    case '[':
      ++at_;
      return skip_rest();
    default:
      break;
  }
  const std::size_t start = at_;
  while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '}' && text_[at_] != ']') ++at_;
  return at_ > start && at_ < text_.size();
}

bool json_scanner::skip_rest() {
  int depth = 1;
  std::uint64_t in_string = 0;  // all ones while a string goes on
  bool escape = false;
  for (; at_ < text_.size(); at_ += 64) {
    const std::size_t left = text_.size() - at_;
    char tail[64] = {};
    if (left < 64) std::memcpy(tail, text_.data() + at_, left);
    block_masks masks = masks_of(left < 64 ? tail : text_.data() + at_);
    if (masks.slashes != 0 || escape) masks.quotes &= ~escaped_bits(masks.slashes, escape);
    const std::uint64_t strings = running_parity(masks.quotes) ^ in_string;
    in_string = strings >> 63 ? ~std::uint64_t{0} : 0;
    const std::uint64_t opens = masks.opens & ~strings;
    std::uint64_t closes = masks.closes & ~strings;
    if (std::popcount(closes) < depth) {
      depth += std::popcount(opens) - std::popcount(closes);
      continue;
    }
    int passed = 0;  // closing brackets of this block before the one looked at
    for (; closes != 0; closes &= closes - 1, ++passed) {
      const int at = std::countr_zero(closes);
      const std::uint64_t before = (std::uint64_t{1} << at) - 1;
      if (depth + std::popcount(opens & before) - passed == 1) {
        at_ += static_cast<std::size_t>(at) + 1;
        return true;
      }
    }
    depth += std::popcount(opens) - passed;
  }
  return false;
}

}  // namespace troupe
