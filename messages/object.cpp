// The shared object from its stored bytes: resourceVersion spliced in, the envelope found by one scan.
#include "messages/object.hpp"

#include <algorithm>
#include <charconv>

#include "messages/document.hpp"
#include "messages/json_scanner.hpp"
#include "messages/schema/schema.hpp"

namespace troupe {
namespace {

using span = json_scanner::span;

/// Where things are in the stored bytes.
struct layout {
  std::size_t item = 0;       // first member behind kind and apiVersion
  std::size_t splice = 0;     // where resourceVersion goes
  bool splice_first = false;  // it would be the first member of metadata
  bool metadata_empty = false;
  span name, namespace_name, uid, node_name;
  std::vector<std::pair<span, span>> labels;
};

bool scan_labels(json_scanner& scan, layout& out) {
  if (!scan.take('{')) return false;
  if (scan.take('}')) return true;
  do {
    std::pair<span, span> label;
    if (!scan.string(label.first) || !scan.take(':') || !scan.string(label.second)) return false;
    out.labels.push_back(label);
  } while (scan.next_member());
  return scan.take('}');
}

/// Reads metadata's value. Members follow in schema order: those before resourceVersion come first.
bool scan_metadata(json_scanner& scan, layout& out) {
  if (!scan.take('{')) return false;
  out.splice = scan.position();
  out.splice_first = true;
  if (scan.take('}')) {
    out.metadata_empty = true;
    return true;
  }
  do {
    std::string_view key;
    if (!scan.key(key)) return false;
    span* wanted = key == "name"        ? &out.name
                   : key == "namespace" ? &out.namespace_name
                   : key == "uid"       ? &out.uid
                                        : nullptr;
    if (wanted || key == "generateName" || key == "selfLink") {
      span ignored;
      if (!scan.string(wanted ? *wanted : ignored)) return false;
      out.splice = scan.position();
      out.splice_first = false;
    } else if (key == "labels") {
      if (!scan_labels(scan, out)) return false;
    } else if (key == "annotations" || key == "ownerReferences" || key == "finalizers" || key == "managedFields") {
      return scan.skip_rest();
    } else if (key == "resourceVersion" || !scan.skip_value()) {
      return false;
    }
  } while (scan.next_member());
  return scan.take('}');
}

bool scan_spec(json_scanner& scan, layout& out) {
  if (!scan.take('{')) return false;
  if (scan.take('}')) return true;
  do {
    std::string_view key;
    if (!scan.key(key)) return false;
    if (key == "nodeName") return scan.string(out.node_name);
    if (!scan.skip_value()) return false;
  } while (scan.next_member());
  return true;
}

bool scan_object(std::string_view json, bool is_pod, layout& out) {
  json_scanner scan(json);
  if (!scan.take('{')) return false;
  bool found = false;
  do {
    const std::size_t start = scan.position();
    std::string_view key;
    if (!scan.key(key)) return false;
    if (key != "kind" && key != "apiVersion" && out.item == 0) out.item = start;
    if (key == "metadata") {
      if (!scan_metadata(scan, out)) return false;
      found = true;
      if (!is_pod) return true;
    } else if (key == "spec" && is_pod) {
      return found && scan_spec(scan, out);
    } else if (!scan.skip_value()) {
      return false;
    }
  } while (scan.next_member());
  return found && scan.take('}');
}

std::string spliced(std::string_view stored, const layout& at, std::uint64_t revision) {
  char digits[24];
  const auto written = std::to_chars(digits, digits + sizeof digits, revision);
  const std::string_view number(digits, static_cast<std::size_t>(written.ptr - digits));
  static constexpr std::string_view key = "\"resourceVersion\":\"";
  std::string out;
  out.reserve(stored.size() + key.size() + number.size() + 2);
  out.append(stored.substr(0, at.splice));
  if (!at.splice_first) out.push_back(',');
  out.append(key).append(number).push_back('"');
  if (at.splice_first && !at.metadata_empty) out.push_back(',');
  return out.append(stored.substr(at.splice));
}

/// Makes views of spans: of the spliced bytes, or of an unescaped copy.
class resolver {
 public:
  resolver(std::string_view stored, std::string_view json, const layout& at)
      : stored_(stored), json_(json), splice_(at.splice), added_(json.size() - stored.size()) {}

  std::string_view operator()(const span& from) {
    if (!from.present) return {};
    if (!from.escaped) return json_.substr(from.offset >= splice_ ? from.offset + added_ : from.offset, from.size);
    // Room for all of it at once, so that earlier views stay good.
    if (!texts_) {
      texts_ = std::make_shared<std::string>();
      texts_->reserve(stored_.size());
    }
    const auto literal = document::parse(stored_.substr(from.offset - 1, from.size + 2));
    const std::string_view text = literal ? literal->root().string() : std::string_view();
    const std::size_t start = texts_->size();
    texts_->append(text);
    return std::string_view(*texts_).substr(start);
  }

  shared_bytes texts() const {
    return texts_ ? shared_bytes(std::shared_ptr<const std::string>(texts_)) : shared_bytes();
  }

 private:
  std::string_view stored_, json_;
  std::size_t splice_, added_;
  std::shared_ptr<std::string> texts_;
};

}  // namespace

const std::string_view* object::label(std::string_view key) const {
  auto at = std::lower_bound(labels.begin(), labels.end(), key,
                             [](const auto& entry, std::string_view wanted) { return entry.first < wanted; });
  return at != labels.end() && at->first == key ? &at->second : nullptr;
}

result<object_ptr> make_object(std::uint16_t resource, std::string_view stored_json, std::uint64_t revision,
                               std::uint64_t created) {
  static const std::uint16_t pods = schema::find_resource("", "v1", "pods");
  layout at;
  if (!scan_object(stored_json, resource == pods, at)) {
    return internal_error("stored bytes are not an API object: " + std::string(stored_json.substr(0, 64)));
  }
  auto made = std::make_shared<object>();
  made->resource = resource;
  made->revision = revision;
  made->created = created;
  made->item_offset = static_cast<std::uint32_t>(at.item);
  made->json = shared_bytes(spliced(stored_json, at, revision));
  resolver view(stored_json, made->json.view(), at);
  made->name = view(at.name);
  made->namespace_name = view(at.namespace_name);
  made->uid = view(at.uid);
  made->node_name = view(at.node_name);
  made->labels.reserve(at.labels.size());
  for (const auto& [key, value] : at.labels) made->labels.emplace_back(view(key), view(value));
  if (!view.texts().empty()) std::sort(made->labels.begin(), made->labels.end());
  made->unescaped = view.texts();
  return object_ptr(std::move(made));
}

}  // namespace troupe
