// get and describe.
#include <algorithm>
#include <cctype>
#include <iostream>

#include "cli/kubectl/kubectl.hpp"

namespace troupe::cli {
namespace {

constexpr const char* table_accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

std::string cell_text(const node& cell) {
  switch (cell.type()) {
    case node_type::string:
      return std::string(cell.string());
    case node_type::null:
      return "<none>";
    default:
      return to_json(cell);
  }
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::toupper(c); });
  return out;
}

// The columns of a Table that are to be shown.
std::vector<std::size_t> shown_columns(const node& table, bool wide) {
  std::vector<std::size_t> out;
  auto* definitions = table.find("columnDefinitions");
  for (std::size_t i = 0; definitions && i < definitions->size(); ++i) {
    auto* priority = definitions->element(i).find("priority");
    if (wide || !priority || priority->integer() == 0) out.push_back(i);
  }
  return out;
}

// "podIP" -> "Pod IP", as kubectl's generic describer titles fields.
std::string title(std::string_view key) {
  std::string out;
  for (std::size_t i = 0; i < key.size(); ++i) {
    auto c = static_cast<unsigned char>(key[i]);
    bool begins = i > 0 && std::isupper(c) &&
                  (std::islower(static_cast<unsigned char>(key[i - 1])) ||
                   (i + 1 < key.size() && std::islower(static_cast<unsigned char>(key[i + 1]))));
    if (begins) out += ' ';
    out += i == 0 ? static_cast<char>(std::toupper(c)) : key[i];
  }
  return out;
}

void print_tree(const node& value, std::size_t indent) {
  std::string space(indent, ' ');
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      const auto& element = value.element(i);
      if (element.is_object() || element.is_array())
        print_tree(element, indent);
      else
        std::cout << space << cell_text(element) << "\n";
    }
    return;
  }
  std::size_t width = 0;
  for (auto* m = value.begin_members(); m != value.end_members(); ++m)
    if (!m->value.is_object() && !m->value.is_array()) width = std::max(width, title(m->key).size());
  for (auto* m = value.begin_members(); m != value.end_members(); ++m) {
    if (m->key == "managedFields") continue;
    auto name = title(m->key) + ":";
    if (m->value.is_object() || m->value.is_array()) {
      std::cout << space << name << "\n";
      print_tree(m->value, indent + 2);
    } else {
      std::cout << space << name << std::string(width + 3 - name.size(), ' ') << cell_text(m->value) << "\n";
    }
  }
}

}  // namespace

int kubectl::print_table(const target& where, bool& header_printed) {
  document table;
  if (!fetch(path(where) + (where.name.empty() ? selectors('?') : ""), table_accept, table)) return 1;
  auto columns = shown_columns(table.root(), options_.output == "wide");
  bool with_namespace = options_.all_namespaces && where.resource->namespaced;
  table_writer out;
  auto* rows = table.root().find("rows");
  if (!rows || rows->empty()) {
    std::cerr << "No resources found"
              << (where.namespace_name.empty() ? "" : " in " + where.namespace_name + " namespace.") << "\n";
    return 0;
  }
  if (!header_printed) {
    std::vector<std::string> header;
    if (with_namespace) header.push_back("NAMESPACE");
    for (auto i : columns)
      header.push_back(upper(table.root().find("columnDefinitions")->element(i).find("name")->string()));
    out.row(header);
    header_printed = true;
  }
  for (std::size_t i = 0; i < rows->size(); ++i) {
    std::vector<std::string> line;
    auto* space = rows->element(i).find("object", "metadata", "namespace");
    if (with_namespace) line.push_back(space ? std::string(space->string()) : "");
    auto* cells = rows->element(i).find("cells");
    for (auto column : columns)
      line.push_back(cells && column < cells->size() ? cell_text(cells->element(column)) : "");
    out.row(line);
  }
  out.flush();
  return 0;
}

int kubectl::watch_table(const target& where) {
  auto collection = where;
  auto query = std::string("?watch=true") + selectors('&');
  if (!where.name.empty()) {
    query += "&fieldSelector=" + url_encode("metadata.name=" + where.name);
    collection.name.clear();
  }
  std::string text;
  table_writer out;
  std::vector<std::size_t> columns;
  bool header_printed = false;
  auto on_line = [&](const std::string& frame) {
    auto event = document::parse(frame);
    if (!event) return;
    auto* type = event->root().find("type");
    auto* table = event->root().find("object");
    if (!type || !table || type->string() == "BOOKMARK") return;
    if (auto seen = shown_columns(*table, options_.output == "wide"); !seen.empty() && !header_printed) {
      columns = seen;
      std::vector<std::string> header;
      header.reserve(columns.size());
      for (auto i : columns)
        header.push_back(upper(table->find("columnDefinitions")->element(i).find("name")->string()));
      out.row(header);
      header_printed = true;
    }
    auto* rows = table->find("rows");
    for (std::size_t i = 0; rows && i < rows->size(); ++i) {
      std::vector<std::string> cells;
      cells.reserve(columns.size());
      auto* row_cells = rows->element(i).find("cells");
      for (auto column : columns)
        cells.push_back(row_cells && column < row_cells->size() ? cell_text(row_cells->element(column)) : "");
      out.row(cells);
    }
    out.flush();
  };
  auto answer = client_->stream(path(collection) + query, table_accept, [&](std::string_view data) {
    text += data;
    for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1))
      on_line(text.substr(0, end));
    return static_cast<bool>(std::cout);
  });
  if (!answer) return print_error(answer.error().message);
  return answer->code == 200 ? 0 : print_server_error(*answer);
}

int kubectl::print_objects(const std::vector<target>& all) {
  document list;
  list.make_object(list.root());
  list.set(list.root(), "apiVersion", "v1");
  list.set(list.root(), "kind", "List");
  list.make_array(list.set(list.root(), "items"));
  bool single = all.size() == 1 && !all[0].name.empty();
  document last;
  for (const auto& one : all) {
    if (!fetch(path(one) + (one.name.empty() ? selectors('?') : ""), "application/json", last)) return 1;
    auto* items = last.root().find("items");
    for (std::size_t i = 0; items && i < items->size(); ++i) {
      auto copy = list.clone(items->element(i));
      // Lists leave out what their own kind says already.
      list.set(copy, "apiVersion",
               (one.resource->group.empty() ? "" : std::string(one.resource->group) + "/") +
                   std::string(one.resource->version));
      list.set(copy, "kind", one.resource->kind);
      list.append(*list.root().find("items"), copy);
    }
    if (!items) list.append(*list.root().find("items"), list.clone(last.root()));
  }
  const node& shown = single ? last.root() : list.root();
  if (options_.output == "name") {
    auto* items = list.root().find("items");
    for (std::size_t i = 0; i < items->size(); ++i) {
      const auto& item = items->element(i);
      auto* resource = find_resource_by_any_name(item.find("kind")->string());
      std::cout << (resource ? std::string(resource->singular) : "")
                << (resource && !resource->group.empty() ? "." + std::string(resource->group) : "") << "/"
                << item.find("metadata", "name")->string() << "\n";
    }
  } else if (options_.output == "json") {
    std::cout << to_json(shown) << "\n";
  } else {
    std::cout << to_yaml(shown);
  }
  return 0;
}

int kubectl::get() {
  std::vector<target> all;
  std::vector<manifest> read;
  if (!connect() || !manifests(read) || !targets(all)) return 1;
  for (auto& one : read) all.push_back(one.where);
  if (all.empty()) return print_error("you must specify the type of resource to get");
  if (options_.watch) {
    if (all.size() != 1) return print_error("you may only watch one resource type");
    return watch_table(all[0]);
  }
  if (!options_.output.empty() && options_.output != "wide") return print_objects(all);
  int failed = 0;
  bool header_printed = false;
  const schema::resource* last = nullptr;
  for (auto& one : all) {
    if (last && last != one.resource) {
      std::cout << "\n";
      header_printed = false;
    }
    last = one.resource;
    failed |= print_table(one, header_printed);
  }
  return failed;
}

void kubectl::describe_events(const target& where, const node& object) {
  auto* uid = object.find("metadata", "uid");
  document events;
  target list{find_resource_by_any_name("events"), where.namespace_name.empty() ? "default" : where.namespace_name, {}};
  auto selector = url_encode("involvedObject.uid=" + std::string(uid ? uid->string() : ""));
  if (!fetch(path(list) + "?fieldSelector=" + selector, table_accept, events)) return;
  auto* rows = events.root().find("rows");
  if (!rows || rows->empty()) {
    std::cout << "Events:  <none>\n";
    return;
  }
  std::cout << "Events:\n";
  table_writer out;
  auto* definitions = events.root().find("columnDefinitions");
  std::vector<std::size_t> columns;
  std::vector<std::string> header;
  for (const char* wanted : {"Type", "Reason", "Last Seen", "Message"})
    for (std::size_t i = 0; definitions && i < definitions->size(); ++i)
      if (definitions->element(i).find("name")->string() == wanted) {
        columns.push_back(i);
        header.push_back(std::string(header.empty() ? "  " : "") + wanted);
      }
  out.row(header);
  for (std::size_t i = 0; i < rows->size(); ++i) {
    std::vector<std::string> line;
    line.reserve(columns.size());
    for (auto column : columns)
      line.push_back((line.empty() ? "  " : "") + cell_text(rows->element(i).find("cells")->element(column)));
    out.row(line);
  }
  out.flush();
}

int kubectl::describe() {
  std::vector<target> all;
  std::vector<manifest> read;
  if (!connect() || !manifests(read) || !targets(all)) return 1;
  for (auto& one : read) all.push_back(one.where);
  std::vector<target> named;
  for (auto& one : all) {
    if (!one.name.empty()) {
      named.push_back(one);
      continue;
    }
    document list;
    if (!fetch(path(one) + selectors('?'), "application/json", list)) return 1;
    auto* items = list.root().find("items");
    for (std::size_t i = 0; items && i < items->size(); ++i)
      named.push_back(
          {one.resource, one.namespace_name, std::string(items->element(i).find("metadata", "name")->string())});
  }
  bool first = true;
  for (auto& one : named) {
    document object;
    if (!fetch(path(one), "application/json", object)) return 1;
    std::cout << (first ? "" : "\n\n");
    first = false;
    print_tree(object.root(), 0);
    describe_events(one, object.root());
  }
  return 0;
}

}  // namespace troupe::cli
