// A document as YAML the way kubectl prints it: go-yaml v2's block style, sorted keys, its choice of quotes and folds.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "messages/document.hpp"
#include "messages/utf8.hpp"
#include "messages/yaml_scalar.hpp"

namespace troupe {
namespace {

constexpr std::size_t best_width = 80;
constexpr std::size_t longest_simple_key = 128;
constexpr std::size_t indent_step = 2;

/// Whether Unicode calls it a letter; beyond Latin by blocks, which is enough to order keys.
bool is_letter(std::uint32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (c < 0xc0) return c == 0xaa || c == 0xb5 || c == 0xba;
  const bool symbol = c == 0xd7 || c == 0xf7 || (c >= 0x2000 && c < 0x2c00) || (c >= 0x3000 && c < 0x3040) ||
                      (c >= 0xe000 && c < 0xf900) || (c >= 0xfe00 && c < 0xfe70) || (c >= 0x1f000 && c < 0x20000);
  return !symbol;
}
bool is_digit_rune(std::uint32_t c) { return c >= '0' && c <= '9'; }

std::vector<std::uint32_t> runes(std::string_view text) {
  std::vector<std::uint32_t> out;
  for (const char* p = text.data(); p < text.data() + text.size();) {
    const std::size_t bytes = utf8::sequence(p, text.data() + text.size());
    out.push_back(bytes ? utf8::decode(p, bytes) : 0xfffd);
    p += bytes ? bytes : 1;
  }
  return out;
}

/// Order of keys: letters last, runs of digits by their number.
bool key_less(std::string_view left, std::string_view right) {
  const auto a = runes(left);
  const auto b = runes(right);
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i] == b[i]) continue;
    const bool a_letter = is_letter(a[i]);
    const bool b_letter = is_letter(b[i]);
    if (a_letter && b_letter) return a[i] < b[i];
    if (a_letter || b_letter) return b_letter;
    std::uint64_t a_number = 0;
    std::uint64_t b_number = 0;
    if (a[i] == '0' || b[i] == '0') {
      // A zero inside a number counts: look back for its first digits.
      for (std::size_t j = i; j > 0 && is_digit_rune(a[j - 1]); --j) {
        if (a[j - 1] != '0') {
          a_number = b_number = 1;
          break;
        }
      }
    }
    std::size_t a_end = i;
    std::size_t b_end = i;
    for (; a_end < a.size() && is_digit_rune(a[a_end]); ++a_end) a_number = a_number * 10 + (a[a_end] - '0');
    for (; b_end < b.size() && is_digit_rune(b[b_end]); ++b_end) b_number = b_number * 10 + (b[b_end] - '0');
    // Long numbers wrap around as Go's int64 does.
    if (a_number != b_number) return static_cast<std::int64_t>(a_number) < static_cast<std::int64_t>(b_number);
    if (a_end != b_end) return a_end < b_end;
    return a[i] < b[i];
  }
  return a.size() < b.size();
}

bool is_printable(std::uint32_t c) {
  return c == '\n' || (c >= 0x20 && c <= 0x7e) || (c >= 0xa0 && c <= 0xd7ff) ||
         (c >= 0xe000 && c <= 0xfffd && c != 0xfeff);
}
bool is_break(std::uint32_t c) { return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029; }
bool is_blank_or_end(std::uint32_t c) { return c == ' ' || c == '\t' || is_break(c) || c == 0; }

/// Which styles a text may be written in.
struct styles {
  bool plain = true, single = true, block = true, multiline = false;
};

bool is_indicator(const std::vector<std::uint32_t>& text, std::size_t i) {
  const std::uint32_t c = text[i];
  const bool blank_follows = i + 1 == text.size() || is_blank_or_end(text[i + 1]);
  const bool blank_before = i == 0 || is_blank_or_end(text[i - 1]);
  if (i == 0 && c < 0x80 &&
      std::string_view("#,[]{}&*!|>'\"%@`").find(static_cast<char>(c)) != std::string_view::npos) {
    return true;
  }
  if (i == 0 && (c == '?' || c == '-')) return blank_follows;
  if (c == ':') return blank_follows;
  return c == '#' && blank_before;
}

styles analyse(const std::vector<std::uint32_t>& text, std::string_view bytes) {
  styles out;
  if (text.empty()) {
    out.block = false;
    return out;
  }
  bool indicators = bytes.starts_with("---") || bytes.starts_with("...");
  bool special = false, break_space = false, space_break = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    indicators = indicators || is_indicator(text, i);
    special = special || !is_printable(text[i]);
    out.multiline = out.multiline || is_break(text[i]);
    if (i == 0) continue;
    break_space = break_space || (text[i] == ' ' && is_break(text[i - 1]));
    space_break = space_break || (is_break(text[i]) && text[i - 1] == ' ');
  }
  const auto edge = [](std::uint32_t c) { return c == ' ' || is_break(c); };
  if (edge(text.front()) || edge(text.back()) || indicators || out.multiline || break_space) out.plain = false;
  if (break_space) out.single = false;
  if (text.back() == ' ') out.block = false;
  if (space_break || special) out.plain = out.single = out.block = false;
  return out;
}

/// Go's strconv.FormatFloat(value, 'g', -1, 64).
std::string real_text(double value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  char text[40];
  auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
  const std::string_view scientific(text, static_cast<std::size_t>(end - text));
  int exponent = 0;
  const std::size_t mark = scientific.find('e');
  std::from_chars(scientific.data() + mark + (scientific[mark + 1] == '+' ? 2 : 1), end, exponent);
  if (value != 0 && (exponent < -4 || exponent >= 6)) return std::string(scientific);
  std::string plain;
  append_json_real(plain, value);
  return plain;
}

class yaml_writer {
 public:
  std::string out;

  void root(const node& value) {
    if (value.is_object() && !value.empty()) {
      members(value, 0);
    } else if (value.is_array() && !value.empty()) {
      elements(value, 0);
    } else {
      scalar(value, indent_step, false);
    }
    out.push_back('\n');
  }

 private:
  std::size_t column() const {
    // Characters, not bytes, of the current line.
    std::size_t count = 0;
    for (std::size_t i = out.size(); i > 0 && out[i - 1] != '\n'; --i) count += (out[i - 1] & 0xc0) != 0x80;
    return count;
  }
  void new_line(std::size_t indent) {
    out.push_back('\n');
    out.append(indent, ' ');
  }

  /// Members from the current position on; further ones on lines of their own.
  void members(const node& value, std::size_t indent) {
    std::vector<const member*> sorted;
    for (const member* m = value.begin_members(); m != value.end_members(); ++m) sorted.push_back(m);
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const member* a, const member* b) { return key_less(a->key, b->key); });
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      if (i > 0) new_line(indent);
      if (is_simple_key(sorted[i]->key)) {
        string(sorted[i]->key, indent + indent_step, true);
        out.push_back(':');
        member_value(sorted[i]->value, indent);
      } else {
        out += "? ";
        string(sorted[i]->key, indent + indent_step, false);
        new_line(indent);
        out += ": ";
        inner(sorted[i]->value, indent + indent_step);
      }
    }
  }

  static bool is_simple_key(std::string_view key) {
    if (key.size() > longest_simple_key) return false;
    const auto text = runes(key);
    return std::none_of(text.begin(), text.end(), is_break);
  }

  /// A value behind an indicator ("- ", ": "): collections begin on the same line.
  void inner(const node& value, std::size_t indent) {
    if (value.is_object() && !value.empty()) {
      members(value, indent);
    } else if (value.is_array() && !value.empty()) {
      elements(value, indent);
    } else {
      scalar(value, indent, false);
    }
  }

  void member_value(const node& value, std::size_t indent) {
    if (value.is_object() && !value.empty()) {
      new_line(indent + indent_step);
      return members(value, indent + indent_step);
    }
    if (value.is_array() && !value.empty()) {
      // A list under a key stands at the key's own column.
      new_line(indent);
      return elements(value, indent);
    }
    out.push_back(' ');
    scalar(value, indent + indent_step, false);
  }

  void elements(const node& value, std::size_t indent) {
    for (const node* item = value.begin_elements(); item != value.end_elements(); ++item) {
      if (item != value.begin_elements()) new_line(indent);
      out += "- ";
      inner(*item, indent + indent_step);
    }
  }

  void scalar(const node& value, std::size_t indent, bool is_key) {
    switch (value.type()) {
      case node_type::null:
        out += "null";
        return;
      case node_type::boolean:
        out += value.boolean() ? "true" : "false";
        return;
      case node_type::integer:
        out += std::to_string(value.integer());
        return;
      case node_type::real: {
        const bool whole = value.literal().find_first_of(".eE") == std::string_view::npos;
        const yaml::scalar read = whole ? yaml::resolve(value.literal()) : yaml::scalar();
        out += read.kind == yaml::scalar_kind::big_integer ? std::to_string(read.big) : real_text(value.real());
        return;
      }
      case node_type::string:
        return string(value.string(), indent, is_key);
      case node_type::array:
        out += "[]";
        return;
      case node_type::object:
        out += "{}";
        return;
    }
  }

  void string(std::string_view bytes, std::size_t indent, bool is_key) {
    const auto text = runes(bytes);
    const styles allowed = analyse(text, bytes);
    if (bytes.find('\n') != std::string_view::npos) {
      return allowed.block && !is_key ? literal(bytes, indent) : double_quoted(text, indent, is_key);
    }
    const bool plain = yaml::resolve(bytes).kind == yaml::scalar_kind::string && !yaml::is_base60(bytes);
    if (!plain || (is_key && allowed.multiline)) return double_quoted(text, indent, is_key);
    if (allowed.plain) return folded(text, indent, is_key, false);
    return allowed.single ? folded(text, indent, is_key, true) : double_quoted(text, indent, is_key);
  }

  /// A plain or single-quoted scalar; broken at the first single space behind the best width.
  void folded(const std::vector<std::uint32_t>& text, std::size_t indent, bool is_key, bool quotes) {
    if (quotes) out.push_back('\'');
    std::size_t at = column();
    bool spaces = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool space = text[i] == ' ';
      const bool inside = !quotes || (i > 0 && i + 1 < text.size());
      if (space && !is_key && !spaces && at > best_width && inside && i + 1 < text.size() && text[i + 1] != ' ') {
        new_line(indent);
        at = indent;
      } else {
        utf8::append(out, text[i]);
        if (quotes && text[i] == '\'') out.push_back('\'');
        at += quotes && text[i] == '\'' ? 2 : 1;
      }
      spaces = space;
    }
    if (quotes) out.push_back('\'');
  }

  void double_quoted(const std::vector<std::uint32_t>& text, std::size_t indent, bool is_key) {
    out.push_back('"');
    std::size_t at = column();
    bool spaces = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::size_t before = out.size();
      if (text[i] == ' ') {
        if (!is_key && !spaces && at > best_width && i > 0 && i + 1 < text.size()) {
          new_line(indent);
          at = indent;
          if (text[i + 1] == ' ') {
            out.push_back('\\');
            ++at;
          }
        } else {
          out.push_back(' ');
          ++at;
        }
        spaces = true;
        continue;
      }
      spaces = false;
      if (!is_printable(text[i]) || is_break(text[i]) || text[i] == '"' || text[i] == '\\') {
        escape(text[i]);
        at += out.size() - before;
      } else {
        utf8::append(out, text[i]);
        ++at;
      }
    }
    out.push_back('"');
  }

  void escape(std::uint32_t c) {
    static constexpr std::pair<std::uint32_t, char> letters[] = {
        {0, '0'},  {7, 'a'},    {8, 'b'},   {9, 't'},     {10, 'n'},   {11, 'v'},     {12, 'f'},
        {13, 'r'}, {0x1b, 'e'}, {'"', '"'}, {'\\', '\\'}, {0x85, 'N'}, {0x2028, 'L'}, {0x2029, 'P'},
    };
    out.push_back('\\');
    for (const auto& [code, letter] : letters) {
      if (code == c) {
        out.push_back(letter);
        return;
      }
    }
    const int digits = c <= 0xff ? 2 : c <= 0xffff ? 4 : 8;
    out.push_back(digits == 2 ? 'x' : digits == 4 ? 'u' : 'U');
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out.push_back("0123456789ABCDEF"[c >> shift & 15]);
  }

  /// A block of lines; the header tells indentation and what becomes of the last line breaks.
  void literal(std::string_view text, std::size_t indent) {
    out.push_back('|');
    if (text.front() == ' ' || text.front() == '\n') out += std::to_string(indent_step);
    if (text.back() != '\n') {
      out.push_back('-');
    } else if (text.size() == 1 || text[text.size() - 2] == '\n') {
      out.push_back('+');
    }
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      if (end > 0) {
        new_line(indent);
        out.append(text.substr(0, end));
      } else {
        out.push_back('\n');
      }
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }
};

}  // namespace

std::string to_yaml(const node& value) {
  yaml_writer writer;
  writer.root(value);
  return std::move(writer.out);
}

}  // namespace troupe
