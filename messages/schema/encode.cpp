// Writing an object as canonical JSON: what Go's encoding/json gives for the typed object.
#include <algorithm>

#include "messages/json_output.hpp"
#include "messages/schema/codec.hpp"
#include "messages/short_text.hpp"

namespace troupe::schema {
namespace {

/// Whether empty lists and maps of a package's types are written as null: the built-in kinds rest as protobuf upstream,
/// which does not tell empty from absent. Kinds that are never stored keep their [].
bool loses_empty_lists(std::uint16_t package) {
  static const std::uint64_t kept = [] {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < packages().size(); ++i) {
      const auto id = packages()[i].id;
      if (id == "meta/v1" || id == "authentication/v1" || id == "authorization/v1" || id == "admission/v1" ||
          id == "apidiscovery/v2") {
        bits |= std::uint64_t{1} << i;
      }
    }
    return bits;
  }();
  return (kept >> package & 1) == 0;
}

class encoder {
 public:
  explicit encoder(json_output& out) : out_(out) {}

  void object(node& value, const type& t, bool skip_resource_version = false, bool is_metadata = false) {
    out_.put('{');
    if (value.is_object()) prepare(value, t);
    const std::uint16_t* always = t.always.data();
    const std::uint16_t* always_end = always + t.always.size();
    const member* end = value.end_members();
    for (member* m = value.begin_members(); m != end; ++m) {
      const std::uint16_t ordinal = m->value.ordinal();
      if (ordinal >= t.fields.size()) {
        type_meta(*m, ordinal);
        continue;
      }
      while (always != always_end && *always < ordinal) zero(t.fields[*always++]);
      const field& f = t.fields[ordinal];
      const bool mandatory = always != always_end && *always == ordinal;
      if (mandatory) ++always;
      if (m->value.is_null()) {
        if (mandatory) zero(f);
        continue;
      }
      if (!mandatory && is_empty(m->value, f)) continue;
      if (is_metadata && skip_resource_version && f.name == "resourceVersion") continue;
      key(f);
      if (f.kind == value_kind::structure && f.form == shape::single && m->value.is_object()) {
        object(m->value, types()[f.type], skip_resource_version && !is_metadata && f.name == "metadata",
               f.name == "metadata");
      } else {
        field_value(m->value, f, t);
      }
    }
    while (always != always_end) zero(t.fields[*always++]);
    out_.put('}');
  }

 private:
  void comma() {
    if (out_.last() != '{') out_.put(',');
  }
  void key(const field& f) {
    comma();
    out_.raw(f.json_key());
  }
  void zero(const field& f) {
    key(f);
    out_.raw(f.zero_json);
  }

  void type_meta(const member& m, std::uint16_t ordinal) {
    if (ordinal == no_ordinal || !m.value.is_string() || m.value.string().empty()) return;
    comma();
    out_.raw(ordinal == kind_ordinal ? "\"kind\":" : "\"apiVersion\":");
    out_.string(m.value.string());
  }

  /// Makes the members' ordinals right and ascending. After conform() that is only a look at each.
  static void prepare(node& value, const type& t) {
    std::uint16_t last = 0;
    bool sorted = true;
    for (member* m = value.begin_members(); m != value.end_members(); ++m) {
      const std::uint16_t hint = m->value.ordinal();
      if (hint >= t.fields.size() || !short_text::equal(t.fields[hint].name, m->key))
        m->value.set_ordinal(find_ordinal(m->key, t));
      const std::uint16_t rank = ordinal_rank(m->value.ordinal());
      sorted = sorted && rank >= last;
      last = rank;
    }
    if (sorted) return;
    std::stable_sort(value.begin_members(), value.end_members(), [](const member& a, const member& b) {
      return ordinal_rank(a.value.ordinal()) < ordinal_rank(b.value.ordinal());
    });
  }

  static std::uint16_t find_ordinal(std::string_view key, const type& t) {
    const std::uint16_t index = t.index_of(key);
    if (index != no_index) return index;
    if (t.has_type_meta && key == "kind") return kind_ordinal;
    if (t.has_type_meta && key == "apiVersion") return api_version_ordinal;
    return no_ordinal;
  }

  /// Go's omitempty for a value that is there.
  static bool is_empty(const node& value, const field& f) {
    if (!f.omit_empty) return false;
    if (f.form != shape::single) return value.empty();
    if (f.pointer) return false;
    switch (value.type()) {
      case node_type::string:
        return value.string().empty();
      case node_type::integer:
        return value.integer() == 0;
      case node_type::boolean:
        return !value.boolean();
      case node_type::real:
        return value.real() == 0;
      default:
        return false;
    }
  }

  void field_value(node& value, const field& f, const type& owner) {
    switch (f.form) {
      case shape::single:
        return single(value, f);
      case shape::list:
        // An empty list response has its items.
        if (value.empty() && f.name != "items" && loses_empty_lists(owner.package)) return out_.raw("null");
        return list(value, f);
      case shape::map:
      case shape::map_of_lists:
        if (value.empty() && loses_empty_lists(owner.package)) return out_.raw("null");
        return map(value, f);
    }
  }

  void list(node& value, const field& f) {
    if (!value.is_array()) return out_.value(value);
    out_.put('[');
    for (node* item = value.begin_elements(); item != value.end_elements(); ++item) {
      if (item != value.begin_elements()) out_.put(',');
      single(*item, f);
    }
    out_.put(']');
  }

  void map(node& value, const field& f) {
    if (!value.is_object()) return out_.value(value);
    auto by_key = [](const member& a, const member& b) { return a.key < b.key; };
    if (!std::is_sorted(value.begin_members(), value.end_members(), by_key)) {
      std::stable_sort(value.begin_members(), value.end_members(), by_key);
    }
    out_.put('{');
    for (member* m = value.begin_members(); m != value.end_members(); ++m) {
      if (m != value.begin_members()) out_.put(',');
      out_.string(m->key);
      out_.put(':');
      f.form == shape::map_of_lists ? list(m->value, f) : single(m->value, f);
    }
    out_.put('}');
  }

  void single(node& value, const field& f) {
    switch (f.kind) {
      case value_kind::structure:
        return object(value, types()[f.type]);
      case value_kind::real:
        return real(value);
      case value_kind::schema_or_array:
      case value_kind::schema_or_bool:
      case value_kind::schema_or_strings:
        return schema_choice(value);
      default:
        return value.is_string() ? out_.string(value.string()) : out_.value(value);
    }
  }

  void real(const node& value) {
    if (!value.is_number()) return out_.value(value);
    std::string text;
    append_json_real(text, value.real());
    out_.raw(text);
  }

  void schema_choice(node& value) {
    static const std::uint16_t schema_type = find_type("apiextensions/v1.JSONSchemaProps");
    if (value.is_object()) return object(value, types()[schema_type]);
    if (!value.is_array()) return out_.value(value);
    out_.put('[');
    for (node* item = value.begin_elements(); item != value.end_elements(); ++item) {
      if (item != value.begin_elements()) out_.put(',');
      schema_choice(*item);
    }
    out_.put(']');
  }

  json_output& out_;
};

}  // namespace

void encode(std::string& out, node& value, std::uint16_t type, bool skip_resource_version) {
  json_output buffer;
  encoder(buffer).object(value, types()[type], skip_resource_version);
  out.append(buffer.view());
}

}  // namespace troupe::schema
