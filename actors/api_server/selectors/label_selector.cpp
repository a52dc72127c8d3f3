// Parsing and matching of label selectors.
#include "actors/api_server/selectors/label_selector.hpp"

#include <algorithm>
#include <optional>

#include "messages/number.hpp"

namespace troupe::api {

namespace {

using relation = label_requirement::relation;

bool is_special(char c) { return std::string_view("=!(),<>").find(c) != std::string_view::npos; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::optional<std::int64_t> to_integer(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  return number_in<std::int64_t>(text);
}

bool alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// Letters, digits, '-', '_' and '.', with a letter or digit at both ends.
bool is_qualified_part(std::string_view text) {
  if (text.empty() || text.size() > 63 || !alphanumeric(text.front()) || !alphanumeric(text.back())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_subdomain(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  char before = '.';
  for (char c : text) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!letter && !(c == '-' && before != '.') && !(c == '.' && before != '.' && before != '-')) return false;
    before = c;
  }
  return before != '.' && before != '-';
}

std::string key_problem(std::string_view key) {
  constexpr std::string_view rule =
      "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
      "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
      "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
  auto slash = key.find('/');
  auto name = slash == std::string_view::npos ? key : key.substr(slash + 1);
  if (slash != std::string_view::npos) {
    if (slash == 0) return "prefix part must be non-empty";
    if (!is_subdomain(key.substr(0, slash)))
      return "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
             "'.', "
             "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
             "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
  }
  if (name.empty()) return "name part must be non-empty; " + std::string(rule);
  if (name.size() > 63) return "name part must be no more than 63 bytes";
  return is_qualified_part(name) ? std::string() : std::string(rule);
}

std::string value_problem(std::string_view value) {
  if (value.empty() || is_qualified_part(value)) return {};
  if (value.size() > 63) return "must be no more than 63 bytes";
  return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
         "and "
         "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "
         "is "
         "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
}

/// A recursive-descent parser over tokens; `error_` holds what went wrong first.
class parser {
 public:
  explicit parser(std::string_view text) : rest_(text) { advance(); }

  result<std::vector<label_requirement>> run() {
    std::vector<label_requirement> out;
    if (kind_ == token::end) return out;
    for (;;) {
      auto one = requirement();
      if (!error_.empty()) return bad_request("unable to parse requirement: " + error_);
      out.push_back(std::move(one));
      if (kind_ == token::end) break;
      if (kind_ != token::comma) return bad_request(found("',' or 'end of string'"));
      advance();
      if (kind_ != token::word && kind_ != token::bang) return bad_request(found("identifier after ','"));
    }
    std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    return out;
  }

 private:
  enum class token : std::uint8_t { end, word, comma, open, close, equals, not_equals, bang, greater, less };

  std::string found(std::string_view expected) const {
    return "found '" + std::string(literal_) + "', expected: " + std::string(expected);
  }

  void advance() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
    std::size_t length = rest_.empty() ? 0 : 1;
    kind_ = token::end;
    if (length == 1 && is_special(rest_.front())) {
      char second = rest_.size() > 1 ? rest_[1] : '\0';
      switch (rest_.front()) {
        case ',':
          kind_ = token::comma;
          break;
        case '(':
          kind_ = token::open;
          break;
        case ')':
          kind_ = token::close;
          break;
        case '>':
          kind_ = token::greater;
          break;
        case '<':
          kind_ = token::less;
          break;
        case '=':
          kind_ = token::equals, length = second == '=' ? 2 : 1;
          break;
        default:
          kind_ = second == '=' ? token::not_equals : token::bang, length = second == '=' ? 2 : 1;
      }
    } else if (length == 1) {
      kind_ = token::word;
      while (length < rest_.size() && !is_special(rest_[length]) && !is_space(rest_[length])) ++length;
    }
    literal_ = rest_.substr(0, length);
    rest_.remove_prefix(length);
  }

  label_requirement requirement() {
    label_requirement out;
    bool negated = kind_ == token::bang;
    if (negated) advance();
    if (kind_ != token::word) return fail(found("!, identifier, or 'end of string'"));
    out.key = literal_;
    if (auto problem = key_problem(out.key); !problem.empty())
      return fail("key: Invalid value: " + json_string(out.key) + ": " + problem);
    advance();
    if (negated || kind_ == token::end || kind_ == token::comma) {
      if (negated && kind_ != token::end && kind_ != token::comma) return out;  // run() reports what follows
      out.how = negated ? relation::does_not_exist : relation::exists;
      return out;
    }
    read_relation(out);
    return out;
  }

  void read_relation(label_requirement& out) {
    bool set = kind_ == token::word && (literal_ == "in" || literal_ == "notin");
    switch (kind_) {
      case token::equals:
        out.how = relation::in;
        break;
      case token::not_equals:
        out.how = relation::not_in;
        break;
      case token::greater:
        out.how = relation::greater;
        break;
      case token::less:
        out.how = relation::less;
        break;
      default:
        if (!set) {
          fail(found("in, notin, =, ==, !=, gt, lt"));
          return;
        }
        out.how = literal_ == "in" ? relation::in : relation::not_in;
    }
    advance();
    if (set)
      read_set(out);
    else
      read_exact(out);
    check_values(out);
  }

  void read_exact(label_requirement& out) {
    if (kind_ == token::end || kind_ == token::comma) {
      out.values.emplace_back();
      return;
    }
    if (kind_ != token::word) {
      fail(found("identifier"));
      return;
    }
    out.values.emplace_back(literal_);
    advance();
  }

  void read_set(label_requirement& out) {
    if (kind_ != token::open) {
      fail(found("'('"));
      return;
    }
    advance();
    for (bool need = true;; need = true) {
      if (kind_ == token::word) {
        out.values.emplace_back(literal_);
        need = false;
        advance();
      }
      if (need) out.values.emplace_back();
      if (kind_ == token::close) break;
      if (kind_ != token::comma) {
        fail(found("',', ')' or identifier"));
        return;
      }
      advance();
    }
    advance();
    std::sort(out.values.begin(), out.values.end());
    out.values.erase(std::unique(out.values.begin(), out.values.end()), out.values.end());
  }

  void check_values(label_requirement& out) {
    if (!error_.empty()) return;
    bool ordered = out.how == relation::greater || out.how == relation::less;
    for (std::size_t i = 0; i < out.values.size(); ++i) {
      if (ordered && !to_integer(out.values[i])) {
        fail("values[" + std::to_string(i) + "]: Invalid value: " + json_string(out.values[i]) +
             ": for 'Gt', 'Lt' operators, the value must be an integer");
        return;
      }
      if (auto problem = value_problem(out.values[i]); !problem.empty()) {
        fail("values[" + std::to_string(i) + "][" + out.key + "]: Invalid value: " + json_string(out.values[i]) + ": " +
             problem);
        return;
      }
    }
  }

  label_requirement fail(std::string why) {
    if (error_.empty()) error_ = std::move(why);
    return {};
  }

  std::string_view rest_;
  std::string_view literal_;
  token kind_ = token::end;
  std::string error_;
};

}  // namespace

bool label_requirement::matches(const std::string_view* value) const {
  auto listed = [&] { return std::binary_search(values.begin(), values.end(), *value); };
  switch (how) {
    case relation::in:
      return value && listed();
    case relation::not_in:
      return !value || !listed();
    case relation::exists:
      return value != nullptr;
    case relation::does_not_exist:
      return value == nullptr;
    default:
      break;
  }
  if (!value) return false;
  auto have = to_integer(*value);
  auto want = to_integer(values.front());
  if (!have || !want) return false;
  return how == relation::greater ? *have > *want : *have < *want;
}

result<label_selector> label_selector::parse(std::string_view text) {
  label_selector out;
  auto parsed = parser(text).run();
  if (!parsed) return parsed.error();
  out.requirements_ = std::move(*parsed);
  return out;
}

label_selector label_selector::from(const node* selector) {
  label_selector out;
  if (!selector) return out;
  if (auto* labels = selector->find("matchLabels"))
    for (auto* m = labels->begin_members(); m != labels->end_members(); ++m)
      out.requirements_.push_back({std::string(m->key), relation::in, {std::string(m->value.string())}});
  auto* expressions = selector->find("matchExpressions");
  for (std::size_t i = 0; expressions && i < expressions->size(); ++i) {
    const node& e = expressions->element(i);
    auto* key = e.find("key");
    auto* how = e.find("operator");
    label_requirement r;
    r.key = key ? key->string() : std::string_view();
    auto word = how ? how->string() : std::string_view();
    r.how = word == "In"       ? relation::in
            : word == "NotIn"  ? relation::not_in
            : word == "Exists" ? relation::exists
                               : relation::does_not_exist;
    if (auto* values = e.find("values"))
      for (std::size_t v = 0; v < values->size(); ++v) r.values.emplace_back(values->element(v).string());
    std::sort(r.values.begin(), r.values.end());
    out.requirements_.push_back(std::move(r));
  }
  return out;
}

bool label_selector::matches(const object& o) const {
  return std::all_of(requirements_.begin(), requirements_.end(),
                     [&](const label_requirement& r) { return r.matches(o.label(r.key)); });
}

}  // namespace troupe::api
