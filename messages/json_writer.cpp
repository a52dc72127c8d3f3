// A document into JSON text, escaped and formatted as Go's encoding/json does.
#include <emmintrin.h>

#include <cmath>

#include "messages/json_output.hpp"
#include "messages/utf8.hpp"

namespace troupe {
namespace {

constexpr std::size_t kept_buffer = std::size_t{1} << 20;

std::vector<char>& spare_buffer() {
  thread_local std::vector<char> buffer;
  return buffer;
}

__m128i load8(const char* at) { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)); }

__m128i load4(const char* at) {
  int value;
  std::memcpy(&value, at, 4);
  return _mm_cvtsi32_si128(value);
}

/// Whether any of the 16 bytes is not written as it is: quote, backslash, control, <, >, & or not ASCII.
bool is_special(__m128i x) {
  const __m128i quote_or_and = _mm_cmpeq_epi8(_mm_or_si128(x, _mm_set1_epi8(4)), _mm_set1_epi8('&'));
  const __m128i angle = _mm_cmpeq_epi8(_mm_or_si128(x, _mm_set1_epi8(2)), _mm_set1_epi8('>'));
  const __m128i slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(31)), x);
  const __m128i any = _mm_or_si128(_mm_or_si128(quote_or_and, angle), _mm_or_si128(slash, control));
  return _mm_movemask_epi8(_mm_or_si128(any, x)) != 0;
}

bool is_special(unsigned char c) {
  return c < 0x20 || c >= 0x80 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&';
}

/// Copies a text of at most 16 bytes that has nothing special in it; false if it has.
bool copy_short(char* to, const char* from, std::size_t size) {
  if (size >= 8) {
    const __m128i head = load8(from);
    const __m128i tail = load8(from + size - 8);
    if (is_special(_mm_unpacklo_epi64(head, tail))) return false;
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), head);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + size - 8), tail);
    return true;
  }
  if (size >= 4) {
    const __m128i both = _mm_unpacklo_epi32(load4(from), load4(from + size - 4));
    if (is_special(_mm_unpacklo_epi64(both, both))) return false;
    std::memcpy(to, from, 4);
    std::memcpy(to + size - 4, from + size - 4, 4);
    return true;
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (is_special(static_cast<unsigned char>(from[i]))) return false;
    to[i] = from[i];
  }
  return true;
}

}  // namespace

json_output::json_output() {
  buffer_.swap(spare_buffer());
  if (buffer_.empty()) buffer_.resize(std::size_t{16} << 10);
  next_ = buffer_.data();
  end_ = next_ + buffer_.size();
}

json_output::~json_output() {
  if (buffer_.size() <= kept_buffer) buffer_.swap(spare_buffer());
}

void json_output::grow(std::size_t bytes) {
  const auto used = static_cast<std::size_t>(next_ - buffer_.data());
  buffer_.resize(std::max(buffer_.size() * 2, used + bytes));
  next_ = buffer_.data() + used;
  end_ = buffer_.data() + buffer_.size();
}

void json_output::string(std::string_view text) {
  need(text.size() * 6 + 2);
  *next_++ = '"';
  const char* p = text.data();
  const char* end = p + text.size();
  while (end - p > 16) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    if (is_special(x)) return escaped(p, end);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(next_), x);
    next_ += 16;
    p += 16;
  }
  const auto rest = static_cast<std::size_t>(end - p);
  if (!copy_short(next_, p, rest)) return escaped(p, end);
  next_ += rest;
  *next_++ = '"';
}

void json_output::escaped(const char* at, const char* end) {
  static constexpr char hex[] = "0123456789abcdef";
  auto pair = [&](char letter) {
    *next_++ = '\\';
    *next_++ = letter;
  };
  auto unicode = [&](unsigned code) {
    std::memcpy(next_, "\\u", 2);
    for (int shift = 12, i = 2; shift >= 0; shift -= 4, ++i) next_[i] = hex[code >> shift & 15];
    next_ += 6;
  };
  while (at < end) {
    const auto c = static_cast<unsigned char>(*at);
    if (c >= 0x80) {
      const std::size_t bytes = utf8::sequence(at, end);
      const std::uint32_t code = bytes ? utf8::decode(at, bytes) : 0xfffd;
      if (bytes == 0 || code == 0x2028 || code == 0x2029) {
        unicode(code);
      } else {
        std::memcpy(next_, at, bytes);
        next_ += bytes;
      }
      at += bytes ? bytes : 1;
      continue;
    }
    ++at;
    if (!is_special(c)) {
      *next_++ = static_cast<char>(c);
      continue;
    }
    switch (c) {
      case '"':
      case '\\':
        pair(static_cast<char>(c));
        break;
      case '\b':
        pair('b');
        break;
      case '\f':
        pair('f');
        break;
      case '\n':
        pair('n');
        break;
      case '\r':
        pair('r');
        break;
      case '\t':
        pair('t');
        break;
      default:
        unicode(c);
        break;
    }
  }
  *next_++ = '"';
}

void json_output::value(const node& value) {
  switch (value.type()) {
    case node_type::null:
      return raw("null");
    case node_type::boolean:
      return raw(value.boolean() ? "true" : "false");
    case node_type::integer:
      return integer(value.integer());
    case node_type::real:
      return raw(value.literal());
    case node_type::string:
      return string(value.string());
    case node_type::array: {
      put('[');
      for (const node* item = value.begin_elements(); item != value.end_elements(); ++item) {
        if (item != value.begin_elements()) put(',');
        this->value(*item);
      }
      return put(']');
    }
    case node_type::object: {
      put('{');
      for (const member* m = value.begin_members(); m != value.end_members(); ++m) {
        if (m != value.begin_members()) put(',');
        string(m->key);
        put(':');
        this->value(m->value);
      }
      return put('}');
    }
  }
}

void append_json(std::string& out, const node& value) {
  json_output buffer;
  buffer.value(value);
  out.append(buffer.view());
}

std::string to_json(const node& value) {
  std::string out;
  append_json(out, value);
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  json_output buffer;
  buffer.string(text);
  out.append(buffer.view());
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

void append_json_real(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  // The shortest digits and their exponent, laid out as Go does: plain between 1e-6 and 1e21, else with an exponent.
  char text[40];
  const auto written = std::to_chars(text, text + sizeof text, std::fabs(value), std::chars_format::scientific);
  const std::string_view shortest(text, static_cast<std::size_t>(written.ptr - text));
  const std::size_t mark = shortest.find('e');
  std::string digits(1, shortest[0]);
  if (mark > 2) digits += shortest.substr(2, mark - 2);
  int exponent = 0;
  std::from_chars(shortest.data() + mark + (shortest[mark + 1] == '+' ? 2 : 1), written.ptr, exponent);
  if (std::signbit(value)) out.push_back('-');
  if (value != 0 && (exponent < -6 || exponent >= 21)) {
    out += digits[0];
    if (digits.size() > 1) out.append(".").append(digits, 1);
    out.append(exponent < 0 ? "e-" : "e+").append(std::to_string(std::abs(exponent)));
  } else if (exponent < 0) {
    out.append("0.").append(static_cast<std::size_t>(-exponent - 1), '0').append(digits);
  } else {
    const auto whole = static_cast<std::size_t>(exponent) + 1;
    if (digits.size() < whole) digits.append(whole - digits.size(), '0');
    out.append(digits, 0, whole);
    if (digits.size() > whole) out.append(".").append(digits, whole);
  }
}

}  // namespace troupe
