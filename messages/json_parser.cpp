// JSON text into a document: one pass, with the grammar, the errors and the treatment of bad UTF-8 of Go's
// encoding/json.
//
// Why not simdjson: it knows no duplicate keys, no number texts and no error positions, rejects lone surrogates where
// Go substitutes U+FFFD, and its tape would be copied into our nodes anyway (this is the faster of the two).
#include <emmintrin.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "messages/ascii.hpp"
#include "messages/document.hpp"
#include "messages/utf8.hpp"

namespace troupe {

/// Members and elements of the objects and arrays that are still open.
class scratch_stack {
 public:
  std::size_t size() const { return size_; }
  void push(const member& entry) {
    if (size_ == entries_.size()) entries_.resize(std::max<std::size_t>(256, size_ * 2));
    entries_[size_++] = entry;
  }
  const member* from(std::size_t base) const { return entries_.data() + base; }
  void shrink(std::size_t size) { size_ = size; }
  void reset() {
    size_ = 0;
    if (entries_.size() > kept_scratch) std::vector<member>().swap(entries_);
  }

 private:
  static constexpr std::size_t kept_scratch = std::size_t{1} << 16;  // members a thread keeps room for

  std::vector<member> entries_;
  std::size_t size_ = 0;
};

namespace {

constexpr int max_json_depth = 512;
constexpr std::size_t padding = 16;  // zero bytes behind the text, for 16-byte loads

scratch_stack& thread_scratch() {
  thread_local scratch_stack stack;
  return stack;
}

/// Bytes that end a run of plain characters inside a string: quote, backslash, control, not ASCII.
unsigned stops(const char* at) {
  const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i quote = _mm_cmpeq_epi8(x, _mm_set1_epi8('"'));
  const __m128i slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(31)), x);
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), _mm_or_si128(control, x))));
}

/// A character as Go's error texts quote it.
std::string quoted(unsigned char c) {
  static constexpr char hex[] = "0123456789abcdef";
  switch (c) {
    case '\'':
      return R"('\'')";
    case '"':
      return R"('"')";
    case '\\':
      return R"('\\')";
    case '\a':
      return R"('\a')";
    case '\b':
      return R"('\b')";
    case '\f':
      return R"('\f')";
    case '\n':
      return R"('\n')";
    case '\r':
      return R"('\r')";
    case '\t':
      return R"('\t')";
    case '\v':
      return R"('\v')";
    default:
      break;
  }
  if (c < 0x20 || c == 0x7f) return std::string("'\\x") + hex[c >> 4] + hex[c & 15] + "'";
  if (c >= 0x80 && (c < 0xa1 || c == 0xad)) return std::string("'\\u00") + hex[c >> 4] + hex[c & 15] + "'";
  std::string out = "'";
  utf8::append(out, c);
  return out + "'";
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

class json_parser {
 public:
  json_parser(arena& memory, std::string_view json) : arena_(memory), scratch_(thread_scratch()) {
    // Strings without escapes stay views into this copy.
    arena_.reserve(json.size() * 4 + 512);
    char* copy = static_cast<char*>(arena_.allocate(json.size() + padding));
    std::memcpy(copy, json.data(), json.size());
    std::memset(copy + json.size(), 0, padding);
    at_ = copy;
    end_ = copy + json.size();
    scratch_.reset();
  }

  bool parse(node& out) {
    skip_space();
    if (!value(out)) return false;
    skip_space();
    return at_ == end_ || unexpected("after top-level value");
  }
  std::string& error() { return error_; }

 private:
  void skip_space() {
    while (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t') ++at_;
  }

  bool unexpected(const char* where) { return unexpected(at_, where); }
  bool unexpected(const char* at, const char* where) {
    const std::string_view place = where;
    const bool at_end = at >= end_;
    // Go tells the end by feeding its scanner a space: inside numbers, words and escapes that is the wrong character.
    const bool inside =
        (place.starts_with("in ") && place != "in string literal") || place.starts_with("after decimal");
    if (at_end && !inside) {
      error_ = "unexpected end of JSON input";
    } else {
      error_ = "invalid character " + quoted(at_end ? ' ' : static_cast<unsigned char>(*at)) + " " + where;
    }
    return false;
  }

  bool value(node& out) {
    switch (*at_) {
      case '"': {
        ++at_;
        std::string_view text;
        if (!string(text)) return false;
        out.type_ = node_type::string;
        out.size_ = static_cast<std::uint32_t>(text.size());
        out.value_.text = text.data();
        return true;
      }
      case '{':
        return object(out);
      case '[':
        return array(out);
      case 't':
        return word("true") && boolean(out, true);
      case 'f':
        return word("false") && boolean(out, false);
      case 'n':
        return word("null");
      default:
        return number(out);
    }
  }

  static bool boolean(node& out, bool flag) {
    out.type_ = node_type::boolean;
    out.value_.boolean = flag;
    return true;
  }

  bool word(std::string_view text) {
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (at_[i] != text[i]) {
        const std::string where =
            "in literal " + std::string(text) + " (expecting " + quoted(static_cast<unsigned char>(text[i])) + ")";
        return unexpected(at_ + i, where.c_str());
      }
    }
    at_ += text.size();
    return true;
  }

  bool enter() {
    if (++depth_ <= max_json_depth) return true;
    error_ = "exceeded max depth";
    return false;
  }

  bool object(node& out) {
    if (!enter()) return false;
    const std::size_t base = scratch_.size();
    ++at_;
    skip_space();
    if (*at_ != '}') {
      while (true) {
        if (*at_ != '"') return unexpected("looking for beginning of object key string");
        ++at_;
        member entry;
        if (!string(entry.key)) return false;
        skip_space();
        if (*at_ != ':') return unexpected("after object key");
        ++at_;
        skip_space();
        if (!value(entry.value)) return false;
        scratch_.push(entry);
        skip_space();
        if (*at_ == '}') break;
        if (*at_ != ',') return unexpected("after object key:value pair");
        ++at_;
        skip_space();
      }
    }
    ++at_;
    --depth_;
    const std::size_t count = scratch_.size() - base;
    out.type_ = node_type::object;
    out.size_ = static_cast<std::uint32_t>(count);
    out.value_.members = static_cast<member*>(arena_.allocate(count * sizeof(member)));
    std::copy_n(scratch_.from(base), count, out.value_.members);
    scratch_.shrink(base);
    return true;
  }

  bool array(node& out) {
    if (!enter()) return false;
    const std::size_t base = scratch_.size();
    ++at_;
    skip_space();
    if (*at_ != ']') {
      while (true) {
        member entry;
        if (!value(entry.value)) return false;
        scratch_.push(entry);
        skip_space();
        if (*at_ == ']') break;
        if (*at_ != ',') return unexpected("after array element");
        ++at_;
        skip_space();
      }
    }
    ++at_;
    --depth_;
    const std::size_t count = scratch_.size() - base;
    out.type_ = node_type::array;
    out.size_ = static_cast<std::uint32_t>(count);
    out.value_.elements = static_cast<node*>(arena_.allocate(count * sizeof(node)));
    for (std::size_t i = 0; i < count; ++i) out.value_.elements[i] = scratch_.from(base)[i].value;
    scratch_.shrink(base);
    return true;
  }

  bool number(node& out) {
    const char* start = at_;
    const char* p = at_;
    if (*p == '-') ++p;
    if (*p == '0') {
      ++p;
    } else if (is_digit(*p)) {
      while (is_digit(*p)) ++p;
    } else {
      return unexpected(p, p == start ? "looking for beginning of value" : "in numeric literal");
    }
    bool whole = true;
    if (*p == '.') {
      whole = false;
      if (!is_digit(*++p)) return unexpected(p, "after decimal point in numeric literal");
      while (is_digit(*p)) ++p;
    }
    if (*p == 'e' || *p == 'E') {
      whole = false;
      ++p;
      if (*p == '+' || *p == '-') ++p;
      if (!is_digit(*p)) return unexpected(p, "in exponent of numeric literal");
      while (is_digit(*p)) ++p;
    }
    at_ = p;
    if (whole && std::from_chars(start, p, out.value_.integer).ec == std::errc()) {
      out.type_ = node_type::integer;
      return true;
    }
    out.type_ = node_type::real;
    out.size_ = static_cast<std::uint32_t>(p - start);
    out.value_.text = start;
    return true;
  }

  /// The rest of a string whose opening quote has been read.
  bool string(std::string_view& out) {
    const char* start = at_;
    const char* p = at_;
    while (true) {
      const unsigned mask = stops(p);
      if (mask == 0) {
        p += 16;
        continue;
      }
      p += std::countr_zero(mask);
      if (*p == '"') {
        out = {start, static_cast<std::size_t>(p - start)};
        at_ = p + 1;
        return true;
      }
      const std::size_t bytes = static_cast<unsigned char>(*p) >= 0x80 ? utf8::sequence(p, end_) : 0;
      if (bytes == 0) return escaped_string(start, p, out);
      p += bytes;
    }
  }

  /// As string(), for one with escapes or bad UTF-8; [start, p) is plain.
  bool escaped_string(const char* start, const char* p, std::string_view& out) {
    text_.assign(start, p);
    while (*p != '"') {
      const auto c = static_cast<unsigned char>(*p);
      if (c == '\\') {
        if (!escape(p)) return false;
      } else if (c < 0x20) {
        return unexpected(p, "in string literal");
      } else if (const std::size_t bytes = utf8::sequence(p, end_); bytes > 0) {
        text_.append(p, bytes);
        p += bytes;
      } else {
        utf8::append(text_, 0xfffd);
        ++p;
      }
    }
    at_ = p + 1;
    out = arena_.copy(text_);
    return true;
  }

  bool escape(const char*& p) {
    static constexpr std::string_view letters = "\"\\/bfnrt";
    static constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    ++p;
    if (*p == 'u') {
      std::uint32_t code = 0;
      if (!code_unit(p, code)) return false;
      if (code >= 0xd800 && code < 0xdc00 && p[0] == '\\' && p[1] == 'u') {
        const char* next = p + 1;
        std::uint32_t low = 0;
        if (!code_unit(next, low)) return false;
        if (low >= 0xdc00 && low < 0xe000) {
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          p = next;
        }
      }
      utf8::append(text_, code);
      return true;
    }
    const std::size_t index = p < end_ ? letters.find(*p) : std::string_view::npos;
    if (index == std::string_view::npos) return unexpected(p, "in string escape code");
    text_.push_back(meanings[index]);
    ++p;
    return true;
  }

  /// Reads uXXXX at p and moves p behind it.
  bool code_unit(const char*& p, std::uint32_t& code) {
    ++p;
    for (int i = 0; i < 4; ++i, ++p) {
      const int digit = hex_digit(*p);
      if (digit < 0) return unexpected(p, "in \\u hexadecimal character escape");
      code = code << 4 | static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  arena& arena_;
  scratch_stack& scratch_;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  int depth_ = 0;
  std::string text_;
  std::string error_;
};

result<document> document::parse(std::string_view json) {
  document doc;
  if (json.size() > 0xffffff00U) return bad_request("JSON input is too long");
  json_parser parser(doc.arena_, json);
  if (!parser.parse(doc.root_)) return bad_request(std::move(parser.error()));
  return doc;
}

}  // namespace troupe
