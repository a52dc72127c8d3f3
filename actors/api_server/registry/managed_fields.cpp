// Keeping metadata.managedFields.
#include "actors/api_server/registry/managed_fields.hpp"

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <vector>

#include "actors/api_server/registry/field_set.hpp"
#include "actors/api_server/registry/object_text.hpp"
#include "messages/schema/codec.hpp"

namespace troupe::api {

namespace {

constexpr std::size_t max_update_managers = 10;

/// One entry of metadata.managedFields.
struct manager_entry {
  std::string_view name, operation, api_version, time, subresource;
  field_set fields;
};

/// An object of the type with nothing set, as it is encoded: what a new object is compared with. Kept per thread, since
/// it depends on the schema only.
const node& empty_object(std::uint16_t type) {
  thread_local std::unordered_map<std::uint16_t, std::unique_ptr<document>> kept;
  auto& slot = kept[type];
  if (!slot) {
    document blank;
    blank.make_object(blank.root());
    std::string text;
    schema::encode(text, blank.root(), type);
    auto parsed = document::parse(text);
    slot = std::make_unique<document>(parsed ? std::move(*parsed) : document());
  }
  return slot->root();
}

const node* entries_of(const node* object) {
  auto* metadata = object ? object->find("metadata") : nullptr;
  auto* list = metadata ? metadata->find("managedFields") : nullptr;
  return list && list->is_array() ? list : nullptr;
}

std::vector<manager_entry> read_entries(const node* list) {
  std::vector<manager_entry> out;
  for (std::size_t i = 0; list && i < list->size(); ++i) {
    const node& e = list->element(i);
    manager_entry entry{text_at(e, "manager"), text_at(e, "operation"),   text_at(e, "apiVersion"),
                        text_at(e, "time"),    text_at(e, "subresource"), {}};
    auto* fields = e.find("fieldsV1");
    if (!fields || fields->empty()) continue;
    entry.fields = from_fields_v1(*fields);
    out.push_back(std::move(entry));
  }
  return out;
}

manager_entry& own_entry(std::vector<manager_entry>& entries, const field_manager& by) {
  for (auto& e : entries)
    if (e.name == by.name && e.operation == "Update" && e.api_version == by.api_version &&
        e.subresource == by.subresource)
      return e;
  entries.push_back({by.name, "Update", by.api_version, by.time, by.subresource, {}});
  return entries.back();
}

/// Kubernetes' order: operation, time, manager, version, subresource.
bool entry_less(const manager_entry& a, const manager_entry& b) {
  if (a.operation != b.operation) return a.operation < b.operation;
  if (a.time != b.time) return a.time < b.time;
  if (a.name != b.name) return a.name < b.name;
  if (a.api_version != b.api_version) return a.api_version < b.api_version;
  return a.subresource < b.subresource;
}

/// Joins the oldest updaters beyond the bound into one entry for each version.
void cap_managers(std::vector<manager_entry>& entries) {
  auto is_update = [](const manager_entry& e) { return e.operation == "Update" && e.name != "ancient-changes"; };
  while (static_cast<std::size_t>(std::count_if(entries.begin(), entries.end(), is_update)) > max_update_managers) {
    auto oldest = std::min_element(entries.begin(), entries.end(), [&](const auto& a, const auto& b) {
      return is_update(a) != is_update(b) ? is_update(a) : a.time < b.time;
    });
    manager_entry gone = std::move(*oldest);
    entries.erase(oldest);
    field_manager ancient{"ancient-changes", gone.api_version, {}, gone.time};
    own_entry(entries, ancient).fields.add(gone.fields);
  }
}

void write_entries(document& doc, std::vector<manager_entry>& entries) {
  std::erase_if(entries, [](const manager_entry& e) { return e.fields.empty(); });
  std::sort(entries.begin(), entries.end(), entry_less);
  // Entries are views into the old list: the new one is complete before it replaces that.
  node list;
  doc.make_array(list);
  for (auto& e : entries) {
    node& out = doc.append(list);
    doc.make_object(out);
    doc.set(out, "manager", e.name);
    doc.set(out, "operation", e.operation);
    doc.set(out, "apiVersion", e.api_version);
    if (!e.time.empty()) doc.set(out, "time", e.time);
    doc.set(out, "fieldsType", "FieldsV1");
    doc.set(out, "fieldsV1", to_fields_v1(doc, e.fields));
    if (!e.subresource.empty()) doc.set(out, "subresource", e.subresource);
  }
  auto& metadata = metadata_of(doc);
  if (entries.empty())
    doc.remove(metadata, "managedFields");
  else
    doc.set(metadata, "managedFields", list);
}

/// A client asks for a clean slate with one empty entry.
bool is_reset(const node* list) { return list && list->size() == 1 && list->element(0).empty(); }

}  // namespace

void track_fields(const node* previous, document& next, std::uint16_t type, const field_manager& by) {
  auto& metadata = metadata_of(next);
  auto* given = entries_of(&next.root());
  auto* kept = entries_of(previous);
  if (is_reset(given) || (previous && !kept && (!given || given->empty()))) {
    next.remove(metadata, "managedFields");
    return;
  }
  const node* source = given && !given->empty() ? given : kept;
  auto difference = compare_fields(previous ? *previous : empty_object(type), next.root(), type, next.memory());
  if (difference.changed.empty() && difference.removed.empty()) {
    if (source == kept && kept) next.set(metadata, "managedFields", next.clone(*kept));
    return;
  }
  auto entries = read_entries(source);
  for (auto& e : entries) {
    bool own = e.name == by.name && e.operation == "Update" && e.api_version == by.api_version &&
               e.subresource == by.subresource;
    if (!own) e.fields.subtract(difference.changed);
    e.fields.subtract(difference.removed);
  }
  if (!difference.changed.empty()) {
    auto& mine = own_entry(entries, by);
    mine.fields.add(difference.changed);
    mine.time = by.time;
  }
  cap_managers(entries);
  write_entries(next, entries);
}

}  // namespace troupe::api
