// Conforming a decoded object to its type, with the errors of Kubernetes' JSON decoder.
//
// Go's decoder knows two kinds of errors: a value of the wrong type is noted (the first counts) and decoding goes on;
// an error of a type's own decoding function (time, quantity) ends it at once and wins.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "messages/schema/codec.hpp"
#include "messages/schema/scalars.hpp"

namespace troupe::schema {
namespace {

constexpr std::size_t max_reports = 100;  // as many strict errors as Kubernetes collects
constexpr std::size_t max_fields = 128;

/// Where in the object the decoder is: a list linked upwards along the call stack.
struct place {
  enum class step : std::uint8_t { root, field, key, index };
  const place* up = nullptr;
  step kind = step::root;
  std::string_view name;
  std::size_t index = 0;
  const type* owner = nullptr;  // of a field: the struct it is in
};

/// spec.containers[0].name
std::string path_of(const place& at) {
  if (at.kind == place::step::root) return {};
  std::string path = path_of(*at.up);
  if (at.kind == place::step::index) return path + "[" + std::to_string(at.index) + "]";
  if (!path.empty()) path.push_back('.');
  return path.append(at.name);
}

/// spec.containers.name: the struct fields only, as Go's type errors name them.
std::string field_stack(const place& at) {
  if (at.kind == place::step::root) return {};
  std::string path = field_stack(*at.up);
  if (at.kind != place::step::field) return path;
  if (!path.empty()) path.push_back('.');
  const field* f = at.owner->find(at.name);
  return path.append(f ? f->embedded : "").append(at.name);
}

/// core/v1.Pod -> v1.Pod
std::string_view go_name(std::string_view id) { return id.substr(id.find('/') + 1); }

/// Go's name of what a field holds once lists and maps are unwrapped.
std::string element_type(const field& f) {
  if (f.form == shape::single && !f.alias.empty()) return std::string(f.alias);
  if (f.enumeration != no_index) return std::string(go_name(enums()[f.enumeration].id));
  switch (f.kind) {
    case value_kind::boolean:
      return "bool";
    case value_kind::int32:
      return "int32";
    case value_kind::int64:
      return "int64";
    case value_kind::real:
      return "float64";
    case value_kind::string:
      return "string";
    case value_kind::bytes:
      return "[]uint8";
    case value_kind::structure:
      return std::string(go_name(types()[f.type].id));
    case value_kind::time:
      return "v1.Time";
    case value_kind::micro_time:
      return "v1.MicroTime";
    case value_kind::duration:
      return "v1.Duration";
    case value_kind::quantity:
      return "resource.Quantity";
    case value_kind::int_or_string:
      return "intstr.IntOrString";
    case value_kind::raw:
      return "runtime.RawExtension";
    default:
      return "v1.JSON";
  }
}

std::string container_type(const field& f) {
  if (!f.alias.empty()) return std::string(f.alias);
  switch (f.form) {
    case shape::list:
      return "[]" + element_type(f);
    case shape::map:
      return "map[string]" + element_type(f);
    case shape::map_of_lists:
      return "map[string]v1.ExtraValue";
    default:
      return element_type(f);
  }
}

std::string_view json_type(const node& value) {
  switch (value.type()) {
    case node_type::boolean:
      return "bool";
    case node_type::string:
      return "string";
    case node_type::array:
      return "array";
    case node_type::object:
      return "object";
    case node_type::null:
      return "null";
    default:
      return "number";
  }
}

std::string number_text(const node& value) {
  return value.is_integer() ? std::to_string(value.integer()) : std::string(value.literal());
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view spaces = " \t\n\v\f\r";
  const auto first = text.find_first_not_of(spaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(spaces) - first + 1);
}

class conformer {
 public:
  conformer(document& doc, conform_report& report) : doc_(doc), report_(report) {}

  /// The error that counts, or empty.
  const std::string& error() const { return fatal_.empty() ? noted_ : fatal_; }

  void object(node& value, const type& t, const place& at) {
    if (value.is_null()) return doc_.make_object(value);
    if (!value.is_object()) return wrong_type(json_type(value), go_name(t.id), at);
    std::array<std::uint64_t, max_fields / 64> seen{};
    member* kept = value.begin_members();
    std::uint16_t last_rank = 0;
    bool sorted = true;
    for (member* m = kept; m != value.end_members() && fatal_.empty(); ++m) {
      const std::uint16_t ordinal = resolve(*m, t);
      const place here{&at, place::step::field, m->key, 0, &t};
      if (ordinal == no_ordinal) {
        strict(report_.unknown, "unknown", here);
        continue;
      }
      const unsigned bit = ordinal_rank(ordinal) % max_fields;
      if (seen[bit / 64] >> (bit % 64) & 1) {
        strict(report_.duplicate, "duplicate", here);
        kept =
            std::remove_if(value.begin_members(), kept, [&](const member& k) { return k.value.ordinal() == ordinal; });
      }
      seen[bit / 64] |= std::uint64_t{1} << (bit % 64);
      if (m->value.is_null()) continue;
      if (!member_value(m->value, t, ordinal, here)) continue;
      m->value.set_ordinal(ordinal);
      sorted = sorted && ordinal_rank(ordinal) >= last_rank;
      last_rank = ordinal_rank(ordinal);
      if (kept != m) *kept = *m;
      ++kept;
    }
    doc_.truncate(value, static_cast<std::size_t>(kept - value.begin_members()));
    if (!sorted) sort_by_ordinal(value);
  }

 private:
  /// The ordinal of a member, whose key then becomes the table's own text.
  static std::uint16_t resolve(member& m, const type& t) {
    const std::uint16_t index = t.index_of(m.key);
    if (index != no_index) {
      m.key = t.fields[index].name;
      return index;
    }
    if (t.has_type_meta && m.key == "kind") return kind_ordinal;
    if (t.has_type_meta && m.key == "apiVersion") return api_version_ordinal;
    return no_ordinal;
  }

  static void sort_by_ordinal(node& value) {
    std::stable_sort(value.begin_members(), value.end_members(), [](const member& a, const member& b) {
      return ordinal_rank(a.value.ordinal()) < ordinal_rank(b.value.ordinal());
    });
  }

  /// False when the value is the same as absent and must go.
  bool member_value(node& value, const type& t, std::uint16_t ordinal, const place& at) {
    if (ordinal == kind_ordinal || ordinal == api_version_ordinal) {
      if (!value.is_string()) wrong_type(json_type(value), "string", at);
      return true;
    }
    const field& f = t.fields[ordinal];
    switch (f.form) {
      case shape::single:
        return single(value, f, at);
      case shape::list:
        list(value, f, at);
        return true;
      case shape::map:
      case shape::map_of_lists:
        map(value, f, at);
        return true;
    }
    return true;
  }

  void list(node& value, const field& f, const place& at) {
    if (!value.is_array()) {
      // Go decodes into the elements' type before it finds that there is no list.
      return wrong_type(json_type(value), container_type(f), at);
    }
    place here{&at, place::step::index, {}, 0, nullptr};
    for (node* item = value.begin_elements(); item != value.end_elements() && fatal_.empty(); ++item, ++here.index) {
      if (item->is_null()) make_zero(*item, f);
      if (!single(*item, f, here)) doc_.clear(*item);
    }
  }

  void map(node& value, const field& f, const place& at) {
    if (!value.is_object()) return wrong_type(json_type(value), container_type(f), at);
    std::string_view last;
    bool sorted = true;
    for (member* m = value.begin_members(); m != value.end_members() && fatal_.empty(); ++m) {
      const place here{&at, place::step::key, m->key, 0, nullptr};
      if (f.form == shape::map_of_lists) {
        if (!m->value.is_null()) list(m->value, f, here);
      } else {
        if (m->value.is_null()) make_zero(m->value, f);
        if (!single(m->value, f, here)) doc_.clear(m->value);
      }
      m->value.set_ordinal(no_ordinal);
      sorted = sorted && (m == value.begin_members() || last < m->key);
      last = m->key;
    }
    if (!sorted) sort_by_key(value, at);
  }

  /// Sorts; of equal keys the last stays.
  void sort_by_key(node& value, const place& at) {
    std::stable_sort(value.begin_members(), value.end_members(),
                     [](const member& a, const member& b) { return a.key < b.key; });
    member* kept = value.begin_members();
    for (member* m = kept; m != value.end_members(); ++m) {
      if (m + 1 != value.end_members() && m[1].key == m->key) {
        strict(report_.duplicate, "duplicate", {&at, place::step::key, m->key, 0, nullptr});
        continue;
      }
      *kept++ = *m;
    }
    doc_.truncate(value, static_cast<std::size_t>(kept - value.begin_members()));
  }

  void make_zero(node& value, const field& f) {
    switch (f.kind) {
      case value_kind::boolean:
        return doc_.assign(value, false);
      case value_kind::int32:
      case value_kind::int64:
      case value_kind::real:
      case value_kind::int_or_string:
        return doc_.assign(value, 0);
      case value_kind::string:
      case value_kind::bytes:
        return doc_.assign(value, "");
      case value_kind::quantity:
        return doc_.assign(value, "0");
      case value_kind::duration:
        return doc_.assign(value, "0s");
      case value_kind::structure:
        return doc_.make_object(value);
      default:
        return;
    }
  }

  bool single(node& value, const field& f, const place& at) {
    switch (f.kind) {
      case value_kind::string:
        if (!value.is_string()) wrong_type(json_type(value), element_type(f), at);
        return true;
      case value_kind::structure:
        object(value, types()[f.type], at);
        return true;
      case value_kind::boolean:
        if (!value.is_boolean()) wrong_type(json_type(value), element_type(f), at);
        return true;
      case value_kind::int32:
        return integer(value, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max(), f,
                       at);
      case value_kind::int64:
        return integer(value, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(), f,
                       at);
      case value_kind::real:
        if (!value.is_number()) {
          wrong_type(json_type(value), element_type(f), at);
        } else if (!std::isfinite(value.real())) {
          wrong_type("number " + number_text(value), element_type(f), at);
        }
        return true;
      case value_kind::bytes:
        if (!value.is_string()) {
          wrong_type(json_type(value), element_type(f), at);
        } else {
          normalise(value, normal_base64(value.string()), noted_);
        }
        return true;
      case value_kind::time:
        return text(value, normal_seconds, at);
      case value_kind::micro_time:
        return text(value, normal_micros, at);
      case value_kind::duration:
        return text(value, normal_duration, at);
      case value_kind::quantity:
        return quantity(value);
      case value_kind::int_or_string:
        return int_or_string(value, at);
      case value_kind::raw:
      case value_kind::any:
        return !value.is_null();
      case value_kind::schema_or_array:
      case value_kind::schema_or_bool:
      case value_kind::schema_or_strings:
        return schema_choice(value, f.kind, at);
    }
    return true;
  }

  bool integer(node& value, std::int64_t low, std::int64_t high, const field& f, const place& at) {
    if (!value.is_number()) {
      wrong_type(json_type(value), element_type(f), at);
    } else if (!value.is_integer() || value.integer() < low || value.integer() > high) {
      wrong_type("number " + number_text(value), element_type(f), at);
    }
    return true;
  }

  static scalar_result normal_seconds(std::string_view in) { return normal_time(in, time_format::seconds); }
  static scalar_result normal_micros(std::string_view in) { return normal_time(in, time_format::micros); }

  /// A scalar that decodes itself from a string. False for its zero value, which is written as null.
  bool text(node& value, scalar_result (*read)(std::string_view), const place& at) {
    if (value.is_null()) return false;
    if (!value.is_string()) {
      fatal_ = type_error(json_type(value), "string", at);
      return true;
    }
    return normalise(value, read(value.string()), fatal_);
  }

  /// Stores a normal form; false where it is empty.
  bool normalise(node& value, scalar_result read, std::string& error) {
    if (!read.ok) {
      if (error.empty()) error = std::move(read.error);
      return true;
    }
    if (read.same) return true;
    const bool was_empty = value.string().empty();
    doc_.assign(value, read.text);
    return !read.text.empty() || was_empty;
  }

  bool quantity(node& value) {
    // Go hands the raw JSON, trimmed, to the quantity's parser: numbers are quantities too.
    const std::string_view trimmed = value.is_string() ? trim(value.string()) : std::string_view();
    if (value.is_string() && trimmed.size() == value.string().size()) {
      return normalise(value, normal_quantity(trimmed), fatal_);
    }
    const std::string text = value.is_string() ? std::string(trimmed) : value.is_number() ? number_text(value) : "x";
    scalar_result read = normal_quantity(text);
    if (read.same) read.text = text;
    read.same = false;
    return normalise(value, std::move(read), fatal_);
  }

  bool int_or_string(node& value, const place& at) {
    if (value.is_string()) return true;
    const bool fits = value.is_integer() && value.integer() >= std::numeric_limits<std::int32_t>::min() &&
                      value.integer() <= std::numeric_limits<std::int32_t>::max();
    if (fits) return true;
    std::string what(json_type(value));
    if (value.is_number()) what += " " + number_text(value);
    fatal_ = type_error(what, "int32", at);
    return true;
  }

  /// apiextensions' JSONSchemaPropsOr...: an own decoding function, which neither reports unknown fields.
  bool schema_choice(node& value, value_kind kind, const place& at) {
    static const std::uint16_t schema_type = find_type("apiextensions/v1.JSONSchemaProps");
    conform_report unreported;
    conformer inner(doc_, unreported);
    if (value.is_object()) {
      inner.object(value, types()[schema_type], at);
    } else if (kind == value_kind::schema_or_array && value.is_array()) {
      for (node* item = value.begin_elements(); item != value.end_elements(); ++item) {
        inner.object(*item, types()[schema_type], at);
      }
    } else if (kind == value_kind::schema_or_bool && !value.is_boolean()) {
      fatal_ = "boolean or JSON schema expected";
    } else if (kind == value_kind::schema_or_strings && value.is_array()) {
      for (node* item = value.begin_elements(); item != value.end_elements(); ++item) {
        if (!item->is_string()) inner.wrong_type(json_type(*item), "string", {});
      }
    } else if (kind != value_kind::schema_or_bool) {
      return false;  // Go leaves both alternatives unset
    }
    if (fatal_.empty()) fatal_ = inner.error();
    return true;
  }

  void wrong_type(std::string_view what, std::string_view wanted, const place& at) {
    if (noted_.empty()) noted_ = type_error(what, wanted, at);
  }

  static std::string type_error(std::string_view what, std::string_view wanted, const place& at) {
    const place* field = &at;
    while (field->kind != place::step::field && field->up) field = field->up;
    std::string text = "json: cannot unmarshal " + std::string(what) + " into Go ";
    if (field->kind == place::step::field) {
      text += "struct field " + std::string(field->owner->name) + "." + field_stack(at);
    } else {
      text += "value";
    }
    return text + " of type " + std::string(wanted);
  }

  void strict(std::vector<std::string>& list, std::string_view what, const place& at) {
    if (report_.in_order.size() >= max_reports) return;
    std::string text = std::string(what) + " field \"" + path_of(at) + "\"";
    if (std::find(report_.in_order.begin(), report_.in_order.end(), text) != report_.in_order.end()) return;
    report_.in_order.push_back(text);
    list.push_back(std::move(text));
  }

  document& doc_;
  conform_report& report_;
  std::string noted_;
  std::string fatal_;
};

}  // namespace

status conform(document& doc, node& value, std::uint16_t index, conform_report& report) {
  const type& t = types()[index];
  conformer run(doc, report);
  run.object(value, t, {});
  if (run.error().empty()) return {};
  const std::string name(t.name);
  return bad_request(name + " in version \"" + std::string(packages()[t.package].version) +
                     "\" cannot be handled as a " + name + ": " + run.error());
}

}  // namespace troupe::schema
