// The engine: a plan per type (rows, rule, fields worth visiting), made once from the schema table.
#include "actors/api_server/defaults/defaults.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "actors/api_server/defaults/rows.hpp"
#include "actors/api_server/validation/access.hpp"
#include "messages/schema/codec.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api::rules {
namespace {

/// One field that gets a constant when unset.
struct constant {
  std::string_view field;
  bool pointer;  // an empty value counts as set
  enum class form : std::uint8_t { text, number, boolean, object } what;
  std::string text;
  std::int64_t number = 0;
};

struct plan {
  std::vector<constant> constants;
  default_rule rule = nullptr;
  bool active = false;      // something below this type (or in it) has defaults
  bool fills = false;       // so it has even where the object is empty
  std::vector<bool> visit;  // by field index: its type is active
  std::vector<bool> quantities;
};

constant make_constant(const schema::field& f, std::string_view json) {
  constant c{f.name, f.pointer, constant::form::text, {}, 0};
  if (json == "{}") {
    c.what = constant::form::object;
  } else if (json == "true" || json == "false") {
    c.what = constant::form::boolean;
    c.number = json == "true";
  } else if (json.starts_with('"')) {
    c.text = std::string(json.substr(1, json.size() - 2));
  } else {
    c.what = constant::form::number;
    c.number = std::stoll(std::string(json));
  }
  return c;
}

/// A zero default of a field that is no pointer changes nothing.
bool changes_nothing(const schema::field& f, std::string_view json) {
  return !f.pointer && (json == "\"\"" || json == "0" || json == "false" || json.empty());
}

/// A struct that is no pointer: it is there even when absent, so its own defaults apply as well.
bool embeds(const schema::field& f) {
  return f.form == schema::shape::single && f.kind == schema::value_kind::structure && !f.pointer;
}

class plans {
 public:
  plans() : all_(schema::types().size()) {
    add_markers();
    add_rows();
    for (auto list : {pod_rules, core_rules, workload_rules, other_rules})
      for (auto rule = list; rule->type; ++rule) of(rule->type).rule = rule->apply;
    spread();
  }
  const plan& operator[](std::uint16_t type) const { return all_[type]; }

 private:
  plan& of(std::string_view id) {
    const auto index = schema::find_type(id);
    return index == schema::no_index ? unused_ : all_[index];
  }
  void add_markers() {
    for (std::size_t t = 0; t < all_.size(); ++t) {
      const auto& type = schema::types()[t];
      all_[t].visit.resize(type.fields.size());
      all_[t].quantities.resize(type.fields.size());
      for (const auto& f : type.fields)
        if (!f.default_json.empty() && !changes_nothing(f, f.default_json))
          all_[t].constants.push_back(make_constant(f, f.default_json));
    }
  }
  void add_rows() {
    for (const auto& row : default_rows) {
      const auto index = schema::find_type(row.type);
      if (index == schema::no_index) continue;
      const auto* f = schema::types()[index].find(row.field);
      if (f) all_[index].constants.push_back(make_constant(*f, row.json));
    }
  }
  /// Marks the types from which something with defaults can be reached.
  void spread() {
    for (std::size_t t = 0; t < all_.size(); ++t) {
      auto& p = all_[t];
      p.active = p.fills = p.rule || !p.constants.empty();
      const auto fields = schema::types()[t].fields;
      for (std::size_t i = 0; i < fields.size(); ++i)
        if (fields[i].kind == schema::value_kind::quantity && fields[i].form == schema::shape::map &&
            schema::types()[t].id.starts_with("core/v1."))
          p.quantities[i] = p.active = true;
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t t = 0; t < all_.size(); ++t) {
        const auto fields = schema::types()[t].fields;
        for (std::size_t i = 0; i < fields.size(); ++i) {
          if (fields[i].type == schema::no_index) continue;
          if (embeds(fields[i]) && all_[fields[i].type].fills && !all_[t].fills) all_[t].fills = changed = true;
          if (!all_[fields[i].type].active || all_[t].visit[i]) continue;
          all_[t].visit[i] = all_[t].active = changed = true;
        }
      }
    }
  }

  std::vector<plan> all_;
  plan unused_;
};

const plans& all_plans() {
  static const plans made;
  return made;
}

bool unset(const node* value, bool pointer) {
  if (!value || value->is_null()) return true;
  if (pointer) return false;
  return (value->is_string() && value->string().empty()) || (value->is_integer() && value->integer() == 0);
}

void apply_constants(document& doc, node& object, const plan& p) {
  for (const auto& c : p.constants) {
    if (!unset(object.find(c.field), c.pointer)) continue;
    switch (c.what) {
      case constant::form::text:
        doc.set(object, c.field, std::string_view(c.text));
        break;
      case constant::form::number:
        doc.set(object, c.field, c.number);
        break;
      case constant::form::boolean:
        doc.set(object, c.field, c.number != 0);
        break;
      case constant::form::object:
        doc.make_object(doc.set(object, c.field));
        break;
    }
  }
}

/// Quantities of a resource list are rounded up to milli-units.
void round_quantities(document& doc, node& map) {
  if (!map.is_object()) return;
  for (auto m = map.begin_members(); m != map.end_members(); ++m) {
    const auto text = m->value.string();
    std::int64_t milli = 0;
    std::string canonical;
    if (text.empty() || (text.back() != 'n' && text.back() != 'u') || !schema::quantity_milli(text, milli)) continue;
    if (schema::canonical_quantity(std::to_string(milli) + "m", canonical)) doc.assign(m->value, canonical);
  }
}

void walk(document& doc, node& object, std::uint16_t type);

void walk_value(document& doc, node& value, const schema::field& f) {
  if (f.form == schema::shape::single) {
    walk(doc, value, f.type);
  } else if (f.form == schema::shape::list && value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) walk(doc, value.element(i), f.type);
  } else if (value.is_object()) {
    for (auto m = value.begin_members(); m != value.end_members(); ++m) walk(doc, m->value, f.type);
  }
}

void walk(document& doc, node& object, std::uint16_t type) {
  const auto& all = all_plans();
  const plan& p = all[type];
  if (!p.active || !object.is_object()) return;
  if (p.rule) p.rule(doc, object);
  apply_constants(doc, object, p);
  const auto& t = schema::types()[type];
  for (std::size_t i = 0; i < t.fields.size(); ++i) {
    if (!p.visit[i] && !p.quantities[i]) continue;
    const auto& f = t.fields[i];
    node* value = object.find(f.name);
    if (!value || value->is_null()) {
      if (!p.visit[i] || !embeds(f) || !all[f.type].fills) continue;
      value = &doc.set(object, f.name);
      doc.make_object(*value);
      walk(doc, *value, f.type);
      if (value->empty()) doc.remove(object, f.name);
      continue;
    }
    if (p.quantities[i]) round_quantities(doc, *value);
    if (p.visit[i]) walk_value(doc, *value, f);
  }
}

}  // namespace

void apply_defaults(document& doc, node& object, std::uint16_t type) {
  if (type < schema::types().size()) walk(doc, object, type);
}

void set_if_absent(document& doc, node& object, std::string_view field, std::string_view value) {
  if (!get(&object, field)) doc.set(object, field, value);
}
void set_if_absent(document& doc, node& object, std::string_view field, std::int64_t value) {
  if (!get(&object, field)) doc.set(object, field, value);
}
void set_if_absent(document& doc, node& object, std::string_view field, bool value) {
  if (!get(&object, field)) doc.set(object, field, value);
}
void set_if_empty(document& doc, node& object, std::string_view field, std::string_view value) {
  if (text(&object, field).empty()) doc.set(object, field, value);
}

node& object_member(document& doc, node& parent, std::string_view field) {
  node& value = doc.set(parent, field);
  if (!value.is_object()) doc.make_object(value);
  return value;
}

void copy_missing(document& doc, node& parent, std::string_view to, const node* from) {
  if (!from || !from->is_object() || from->empty()) return;
  node& target = object_member(doc, parent, to);
  for (auto m = from->begin_members(); m != from->end_members(); ++m)
    if (!target.find(m->key)) doc.set(target, m->key, doc.clone(m->value));
}

}  // namespace troupe::api::rules
