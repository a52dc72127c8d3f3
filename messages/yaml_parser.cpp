// YAML text into a document. yaml-cpp finds the structure; what scalars mean is decided as Kubernetes does.
#include <algorithm>
#include <cmath>
#include <istream>
#include <streambuf>
#include <unordered_set>

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "messages/document.hpp"
#include "messages/utf8.hpp"
#include "messages/yaml_scalar.hpp"

namespace troupe {
namespace {

constexpr std::size_t max_aliased_nodes = 1000000;  // what aliases may add to a document
constexpr int max_yaml_depth = 400;                 // below yaml-cpp's own guard

/// Ends the parse; caught in parse_yaml.
struct yaml_error {
  std::string message;
};

std::string line_prefix(const YAML::Mark& mark) { return "line " + std::to_string(mark.line + 1) + ": "; }

std::size_t count_nodes(const node& value) {
  std::size_t total = 1;
  for (const node* item = value.begin_elements(); item != value.end_elements(); ++item) total += count_nodes(*item);
  for (const member* m = value.begin_members(); m != value.end_members(); ++m) total += count_nodes(m->value);
  return total;
}

/// Builds the tree from the parser's events.
class builder : public YAML::EventHandler {
 public:
  builder(document& doc, std::string_view yaml) : doc_(doc), yaml_(yaml) {}

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = mark; }
  void OnDocumentEnd() override {}
  const YAML::Mark& start() const { return start_; }
  /// Where the last scalar with quotes began, if there was one.
  const YAML::Mark& last_quoted() const { return last_quoted_; }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    // yaml-cpp gives a key without its colon a null that stands where the key does.
    if (!frames_.empty() && frames_.back().has_key && mark.pos == frames_.back().key_line.pos) {
      throw yaml_error{"line " + std::to_string(mark.line + 2) + ": could not find expected ':'"};
    }
    // Nor does it mind an element left out ("[a,,b]").
    const auto at = static_cast<std::size_t>(mark.pos);
    if (!frames_.empty() && !frames_.back().is_map && at < yaml_.size() && yaml_[at] == ',') {
      throw yaml_error{(mark.line > 0 ? "line " + std::to_string(mark.line) + ": " : "") +
                       "did not find expected node content"};
    }
    add(mark, node(), anchor, {});
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw yaml_error{line_prefix(mark) + "anchor value contains itself"};
    aliased_ += count_nodes(found->second);
    if (aliased_ > max_aliased_nodes) throw yaml_error{"document contains excessive aliasing"};
    const node copy = doc_.clone(found->second);
    add(mark, copy, 0, copy.is_string() ? copy.string() : std::string_view("alias"));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    if (tag == "!") last_quoted_ = mark;
    if (expects_key()) {
      frames_.back().key = key_text(mark, tag, text);
      frames_.back().key_line = mark;
      frames_.back().has_key = true;
      frames_.back().merge = tag == "?" && text == "<<";
      if (anchor) {
        node value;
        doc_.assign(value, text);
        anchors_[anchor] = value;
      }
      return;
    }
    node value;
    scalar_value(value, tag, text);
    add(mark, value, anchor, text);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor, false);
  }
  void OnSequenceEnd() override {
    frame done = std::move(frames_.back());
    frames_.pop_back();
    node value;
    doc_.make_array(value);
    for (const node& item : done.elements) doc_.append(value, item);
    add(done.start, value, done.anchor, {});
  }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor, true);
  }
  void OnMapEnd() override {
    frame done = std::move(frames_.back());
    frames_.pop_back();
    for (const node& from : done.merged) merge(done.map, from);
    add(done.start, done.map, done.anchor, {});
  }

  /// "line 3: key "a" already set in map", for every key given twice.
  const std::vector<std::string>& duplicates() const { return duplicates_; }

 private:
  struct frame {
    YAML::Mark start;
    YAML::anchor_t anchor = 0;
    bool is_map = false;
    bool has_key = false;
    bool merge = false;
    std::string key;
    YAML::Mark key_line;
    std::unordered_set<std::string> keys;
    std::vector<node> elements;
    std::vector<node> merged;
    node map;
  };

  bool expects_key() const { return !frames_.empty() && frames_.back().is_map && !frames_.back().has_key; }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, bool is_map) {
    if (expects_key()) throw yaml_error{line_prefix(mark) + "invalid map key"};
    if (frames_.size() >= max_yaml_depth) throw yaml_error{"exceeded max depth of " + std::to_string(max_yaml_depth)};
    frame fresh;
    fresh.start = mark;
    fresh.anchor = anchor;
    fresh.is_map = is_map;
    if (is_map) doc_.make_object(fresh.map);
    frames_.push_back(std::move(fresh));
  }

  void add(const YAML::Mark& mark, node value, YAML::anchor_t anchor, std::string_view as_key) {
    if (anchor) anchors_[anchor] = value;
    if (frames_.empty()) {
      doc_.root() = value;
      return;
    }
    frame& top = frames_.back();
    if (!top.is_map) {
      top.elements.push_back(value);
    } else if (!top.has_key) {
      if (as_key.empty() || value.is_object() || value.is_array())
        throw yaml_error{line_prefix(mark) + "invalid map key"};
      top.key = as_key;
      top.key_line = mark;
      top.has_key = true;
      top.merge = false;
    } else {
      top.has_key = false;
      top.merge ? note_merge(top, value) : put(top, value);
    }
  }

  void put(frame& top, const node& value) {
    if (!top.keys.insert(top.key).second) {
      std::string quoted;
      append_json_string(quoted, top.key);
      duplicates_.push_back(line_prefix(top.key_line) + "key " + quoted + " already set in map");
    }
    doc_.set(top.map, top.key, value);
  }

  /// << : *map or << : [*map, *map]; what the map sets itself wins, then the first of them.
  static void note_merge(frame& top, const node& value) {
    if (value.is_object()) {
      top.merged.push_back(value);
      return;
    }
    const auto no_map = [] { return yaml_error{"map merge requires map or sequence of maps as the value"}; };
    if (!value.is_array()) throw no_map();
    for (const node* item = value.begin_elements(); item != value.end_elements(); ++item) {
      if (!item->is_object()) throw no_map();
      top.merged.push_back(*item);
    }
  }

  void merge(node& into, const node& from) {
    for (const member* m = from.begin_members(); m != from.end_members(); ++m) {
      if (!into.find(m->key)) doc_.set(into, m->key, m->value);
    }
  }

  static bool is_plain(const std::string& tag) { return tag == "?" || tag.empty(); }

  /// A key that is no string becomes the text of its value.
  static std::string key_text(const YAML::Mark& mark, const std::string& tag, const std::string& text) {
    if (!is_plain(tag)) return text;
    const yaml::scalar value = yaml::resolve(text);
    switch (value.kind) {
      case yaml::scalar_kind::boolean:
        return value.flag ? "true" : "false";
      case yaml::scalar_kind::integer:
        return std::to_string(value.integer);
      case yaml::scalar_kind::big_integer:
        return std::to_string(value.big);
      case yaml::scalar_kind::null:
        throw yaml_error{line_prefix(mark) + "null is not a map key"};
      case yaml::scalar_kind::real: {
        std::string out;
        append_json_real(out, value.real);
        return std::isfinite(value.real) ? out : text;
      }
      default:
        return text;
    }
  }

  void scalar_value(node& out, const std::string& tag, const std::string& text) {
    static const std::string standard = "tag:yaml.org,2002:";
    const bool resolved =
        is_plain(tag) || (tag.starts_with(standard) && tag != standard + "str" && tag != standard + "binary");
    const yaml::scalar value = resolved ? yaml::resolve(text) : yaml::scalar();
    switch (value.kind) {
      case yaml::scalar_kind::null:
        return;
      case yaml::scalar_kind::boolean:
        return doc_.assign(out, value.flag);
      case yaml::scalar_kind::integer:
        return doc_.assign(out, value.integer);
      case yaml::scalar_kind::big_integer:
        return number(out, std::to_string(value.big));
      case yaml::scalar_kind::real: {
        if (!std::isfinite(value.real)) {
          const char* name = std::isnan(value.real) ? "NaN" : value.real > 0 ? "+Inf" : "-Inf";
          throw yaml_error{std::string("json: unsupported value: ") + name};
        }
        std::string written;
        append_json_real(written, value.real);
        return number(out, written);
      }
      default:
        return doc_.assign(out, text);
    }
  }

  /// The number that JSON of this text has: "1e3" is the integer 1000.
  void number(node& out, const std::string& json) {
    const auto parsed = document::parse(json);
    out = doc_.clone(parsed->root());
  }

  document& doc_;
  std::string_view yaml_;
  std::vector<frame> frames_;
  std::unordered_map<YAML::anchor_t, node> anchors_;
  std::vector<std::string> duplicates_;
  std::size_t aliased_ = 0;
  YAML::Mark start_;
  YAML::Mark last_quoted_ = YAML::Mark::null_mark();
};

/// Sees where a further document begins and ends the parse there.
class next_document : public YAML::EventHandler {
 public:
  struct found {
    YAML::Mark mark;
  };
  void OnDocumentStart(const YAML::Mark& mark) override { throw found{mark}; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// The text from the start of a line (counted from 0).
std::string_view from_line(std::string_view text, int line) {
  while (line-- > 0) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return text;
}

/// yaml-cpp takes a quoted scalar without its closing quote; finds whether this one has it.
void check_closed(std::string_view yaml, const YAML::Mark& mark) {
  if (mark.is_null()) return;
  std::string_view text = from_line(yaml, mark.line);
  if (static_cast<std::size_t>(mark.column) >= text.size()) return;
  text.remove_prefix(static_cast<std::size_t>(mark.column));
  const char quote = text[0];
  if (quote != '"' && quote != '\'') return;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 == text.size() || text[i + 1] != quote) return;
      ++i;
    }
  }
  throw yaml_error{"line " + std::to_string(std::count(yaml.begin(), yaml.end(), '\n') + 1) +
                   ": found unexpected end of stream"};
}

/// yaml-cpp takes what does not belong to the document for a further one; that needs a line "---" before it.
void check_complete(std::string_view yaml, YAML::Parser& parser, const YAML::Mark& start, const node& root) {
  next_document look;
  try {
    parser.HandleNextDocument(look);
  } catch (const next_document::found& next) {
    for (int line = start.line + 1; line <= next.mark.line; ++line) {
      const std::string_view text = from_line(yaml, line);
      if (text.starts_with("---") || text.starts_with("...")) return;
    }
    const char* what = root.is_array() ? "'-' indicator" : root.is_object() ? "key" : "<document start>";
    const std::string where = next.mark.line > 0 ? "line " + std::to_string(next.mark.line) + ": " : "";
    throw yaml_error{where + "did not find expected " + what};
  } catch (const YAML::Exception&) {
    return;  // what is wrong behind the document is not its affair
  }
}

/// yaml-cpp's complaints in go-yaml's words where the two mean the same.
std::string go_message(const std::string& text) {
  static constexpr std::pair<std::string_view, std::string_view> rows[] = {
      {"illegal map value", "mapping values are not allowed in this context"},
      {"end of map not found", "did not find expected key"},
      {"end of sequence not found", "did not find expected '-' indicator"},
      {"end of map flow not found", "did not find expected ',' or '}'"},
      {"end of sequence flow not found", "did not find expected ',' or ']'"},
      {"illegal tab when looking for indentation", "found character that cannot start any token"},
      {"unknown token", "found character that cannot start any token"},
      {"illegal EOF in scalar", "found unexpected end of stream"},
      {"illegal map key", "mapping keys are not allowed in this context"},
      {"illegal block entry", "block sequence entries are not allowed in this context"},
      {"the referenced anchor is not defined", "unknown anchor referenced"},
  };
  for (const auto& [theirs, gos] : rows) {
    if (text == theirs) return std::string(gos);
  }
  return text;
}

/// What go-yaml's reader says about bytes that cannot be YAML; empty for good ones.
std::string_view unreadable(std::string_view text) {
  const char* end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const auto c = static_cast<unsigned char>(*p);
    const std::size_t bytes = utf8::sequence(p, end);
    if (bytes == 0) return "invalid leading UTF-8 octet";
    const std::uint32_t code = utf8::decode(p, bytes);
    const bool control = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') ||
                         (code >= 0x7f && code < 0xa0 && code != 0x85) || code == 0xfffe || code == 0xffff;
    if (control) return "control characters are not allowed";
    p += bytes;
  }
  return {};
}

/// Reads from a view without a copy.
class view_buffer : public std::streambuf {
 public:
  explicit view_buffer(std::string_view text) {
    char* start = const_cast<char*>(text.data());
    setg(start, start, start + text.size());
  }
};

}  // namespace

result<document> document::parse_yaml(std::string_view yaml) {
  document doc;
  if (const auto problem = unreadable(yaml); !problem.empty()) return bad_request("yaml: " + std::string(problem));
  try {
    view_buffer buffer(yaml);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    builder build(doc, yaml);
    parser.HandleNextDocument(build);
    check_closed(yaml, build.last_quoted());
    check_complete(yaml, parser, build.start(), doc.root());
    if (!build.duplicates().empty()) {
      std::string message = "yaml: unmarshal errors:";
      for (const auto& line : build.duplicates()) message += "\n  " + line;
      return bad_request(std::move(message));
    }
    return doc;
  } catch (const yaml_error& error) {
    return bad_request(error.message.starts_with("json:") ? error.message : "yaml: " + error.message);
  } catch (const YAML::DeepRecursion&) {
    return bad_request("yaml: exceeded max depth");
  } catch (const YAML::Exception& error) {
    const std::string message = go_message(error.msg);
    // go-yaml's parser counts lines from 0, its scanner from 1; neither names the first.
    YAML::Mark mark = error.mark;
    if (mark.is_null() || mark.line == 0) return bad_request("yaml: " + message);
    if (message.starts_with("did not find")) --mark.line;
    return bad_request("yaml: " + line_prefix(mark) + message);
  }
}

}  // namespace troupe
