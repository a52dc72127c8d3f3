// Flags, resources by name, manifests from files: what all commands share.
#include "cli/kubectl/kubectl.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iostream>
#include <iterator>

#include <CLI/CLI.hpp>

#include "runtime/pki.hpp"

namespace troupe::cli {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

// YAML files hold several documents between lines of "---".
std::vector<std::string> split_documents(const std::string& text) {
  std::vector<std::string> parts(1);
  for (std::size_t at = 0; at < text.size();) {
    auto end = text.find('\n', at);
    end = end == std::string::npos ? text.size() : end + 1;
    auto line = std::string_view(text).substr(at, end - at);
    if (line == "---\n" || line == "---" || line == "---\r\n" || line.starts_with("--- "))
      parts.emplace_back();
    else
      parts.back() += line;
    at = end;
  }
  return parts;
}

bool blank(const std::string& text) {
  bool comment = false;
  for (unsigned char c : text) {
    if (c == '\n') comment = false;
    if (c == '#') comment = true;
    if (!comment && !std::isspace(c)) return false;
  }
  return true;
}

}  // namespace

int print_error(const std::string& message) {
  std::cerr << "error: " << message << "\n";
  return 1;
}

int print_server_error(const http_answer& answer, const std::string& context) {
  auto parsed = document::parse(answer.body);
  std::string why, message = answer.body;
  if (parsed.ok()) {
    if (auto* field = parsed->root().find("reason")) why = field->string();
    if (auto* field = parsed->root().find("message")) message = field->string();
  }
  if (why == "Invalid")
    std::cerr << "The " << message << "\n";
  else
    std::cerr << "Error from server" << (why.empty() ? "" : " (" + why + ")") << ": " << context << message << "\n";
  return 1;
}

const schema::resource* find_resource_by_any_name(std::string_view name) {
  auto wanted = lower(name);
  std::string group;
  bool with_group = false;
  if (auto dot = wanted.find('.'); dot != std::string::npos) {
    group = wanted.substr(dot + 1);
    wanted.resize(dot);
    with_group = true;
  }
  for (const auto& resource : schema::resources()) {
    bool same = wanted == resource.plural || wanted == resource.singular || wanted == lower(resource.kind);
    for (auto short_name : resource.short_names) same = same || wanted == short_name;
    if (same && (!with_group || group == resource.group) && (resource.verbs & schema::verb_get)) return &resource;
  }
  return nullptr;
}

bool kubectl::connect() {
  auto settings = read_kubeconfig(options_.kubeconfig);
  if (!settings) {
    print_error(settings.error().message);
    return false;
  }
  namespace_ = options_.namespace_name.empty() ? settings->namespace_name : options_.namespace_name;
  client_ = std::make_unique<http_client>(*settings);
  return true;
}

std::string kubectl::path(const target& where) const {
  const auto& r = *where.resource;
  std::string out = r.group.empty() ? "/api/" + std::string(r.version)
                                    : "/apis/" + std::string(r.group) + "/" + std::string(r.version);
  if (r.namespaced && !where.namespace_name.empty()) out += "/namespaces/" + url_encode(where.namespace_name);
  out += "/" + std::string(r.plural);
  if (!where.name.empty()) out += "/" + url_encode(where.name);
  return out;
}

std::string kubectl::selectors(char first) const {
  std::string out;
  if (!options_.selector.empty()) out += "&labelSelector=" + url_encode(options_.selector);
  if (!options_.field_selector.empty()) out += "&fieldSelector=" + url_encode(options_.field_selector);
  if (!out.empty()) out[0] = first;
  return out;
}

// "pods", "pod NAME...", "pod/NAME ...", "pods,services": what stands on the command line.
bool kubectl::targets(std::vector<target>& out) {
  auto space = options_.all_namespaces ? std::string() : namespace_;
  auto add = [&](std::string_view kind, std::string name) {
    const auto* resource = find_resource_by_any_name(kind);
    if (!resource) {
      print_error("the server doesn't have a resource type \"" + std::string(kind) + "\"");
      return false;
    }
    out.push_back({resource, resource->namespaced ? space : std::string(), std::move(name)});
    return true;
  };
  const auto& words = options_.arguments;
  if (words.empty()) return true;
  if (words[0].find('/') != std::string::npos) {
    for (const auto& word : words) {
      auto slash = word.find('/');
      if (slash == std::string::npos) {
        print_error(
            "there is no need to specify a resource type as a separate argument when passing arguments in "
            "resource/name form");
        return false;
      }
      if (!add(word.substr(0, slash), word.substr(slash + 1))) return false;
    }
    return true;
  }
  if (words.size() > 1) {
    for (std::size_t i = 1; i < words.size(); ++i)
      if (!add(words[0], words[i])) return false;
    return true;
  }
  std::string kinds = words[0] + ",";
  for (std::size_t at = 0, comma; (comma = kinds.find(',', at)) != std::string::npos; at = comma + 1)
    if (!add(kinds.substr(at, comma - at), {})) return false;
  return true;
}

bool kubectl::manifests(std::vector<manifest>& out) {
  auto read_text = [&](const std::string& source, const std::string& text) {
    for (auto& part : split_documents(text)) {
      if (blank(part)) continue;
      auto parsed = document::parse_yaml(part);
      if (!parsed) {
        print_error("error parsing " + source + ": " + parsed.error().message);
        return false;
      }
      manifest one{std::move(*parsed), {}, source};
      auto text_of = [&](const char* key) {
        auto* field = one.content.root().find(key);
        return field ? std::string(field->string()) : std::string();
      };
      auto version = text_of("apiVersion"), kind = text_of("kind");
      auto slash = version.find('/');
      auto index = schema::find_kind(slash == std::string::npos ? "" : version.substr(0, slash),
                                     slash == std::string::npos ? version : version.substr(slash + 1), kind);
      if (index == schema::no_index) {
        print_error("resource mapping not found in \"" + source + "\": no matches for kind \"" + kind +
                    "\" in version \"" + version + "\"");
        return false;
      }
      one.where.resource = &schema::resources()[index];
      if (auto* name = one.content.root().find("metadata", "name")) one.where.name = name->string();
      auto* space = one.content.root().find("metadata", "namespace");
      if (one.where.resource->namespaced) one.where.namespace_name = space ? std::string(space->string()) : namespace_;
      out.push_back(std::move(one));
    }
    return true;
  };
  for (const auto& file : options_.files) {
    if (file == "-") {
      std::string text(std::istreambuf_iterator<char>(std::cin), {});
      if (!read_text("STDIN", text)) return false;
      continue;
    }
    std::vector<std::string> paths;
    std::error_code none;
    if (std::filesystem::is_directory(file, none)) {
      for (const auto& entry : std::filesystem::directory_iterator(file)) {
        auto extension = entry.path().extension();
        if (extension == ".yaml" || extension == ".yml" || extension == ".json") paths.push_back(entry.path());
      }
      std::sort(paths.begin(), paths.end());
    } else {
      paths.push_back(file);
    }
    for (const auto& one : paths) {
      auto text = pki::read_file(one);
      if (!text) {
        print_error("the path \"" + one + "\" does not exist");
        return false;
      }
      if (!read_text(one, *text)) return false;
    }
  }
  return true;
}

bool kubectl::fetch(const std::string& target_path, const std::string& accept, document& out) {
  auto answer = client_->call("GET", target_path, {}, {}, accept);
  if (!answer) {
    print_error(answer.error().message);
    return false;
  }
  std::cerr << answer->warnings;
  if (answer->code != 200) {
    print_server_error(*answer);
    return false;
  }
  auto parsed = document::parse(answer->body);
  if (!parsed) {
    print_error(parsed.error().message);
    return false;
  }
  out = std::move(*parsed);
  return true;
}

void table_writer::row(const std::vector<std::string>& cells) {
  if (widths_.size() < cells.size()) widths_.resize(cells.size());
  for (std::size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], cells[i].size());
  rows_.push_back(cells);
}

void table_writer::flush() {
  for (const auto& cells : rows_) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      line += cells[i];
      if (i + 1 < cells.size()) line.append(widths_[i] - cells[i].size() + 3, ' ');
    }
    std::cout << line << "\n";
  }
  std::cout.flush();
  rows_.clear();
}

void add_kubectl(CLI::App& app, kubectl_options& options, int& exit_code) {
  auto common = [&options](CLI::App* command) {
    command->add_option("--kubeconfig", options.kubeconfig, "kubeconfig file");
    command->add_option("-n,--namespace", options.namespace_name, "namespace");
  };
  auto run = [&options, &exit_code](int (kubectl::*method)()) {
    return [&options, &exit_code, method] { exit_code = (kubectl(options).*method)(); };
  };
  auto* create = app.add_subcommand("create", "Create objects from files or standard input");
  common(create);
  create->add_option("-f,--filename", options.files, "file, directory or -")->required();
  create->add_option("-o,--output", options.output)->check(CLI::IsMember({"yaml", "json", "name"}));
  create->callback(run(&kubectl::create));

  auto* get = app.add_subcommand("get", "Show objects");
  common(get);
  get->add_option("resources", options.arguments, "TYPE [NAME...] or TYPE/NAME...");
  get->add_option("-f,--filename", options.files, "file, directory or -");
  get->add_flag("-A,--all-namespaces", options.all_namespaces);
  get->add_option("-o,--output", options.output)->check(CLI::IsMember({"wide", "yaml", "json", "name"}));
  get->add_option("-l,--selector", options.selector, "label selector");
  get->add_option("--field-selector", options.field_selector);
  get->add_flag("-w,--watch", options.watch, "keep showing changes");
  get->callback(run(&kubectl::get));

  auto* describe = app.add_subcommand("describe", "Show one object with its events");
  common(describe);
  describe->add_option("resources", options.arguments, "TYPE [NAME...] or TYPE/NAME...");
  describe->add_option("-f,--filename", options.files);
  describe->add_option("-l,--selector", options.selector);
  describe->callback(run(&kubectl::describe));

  auto* erase = app.add_subcommand("delete", "Delete objects");
  common(erase);
  erase->add_option("resources", options.arguments, "TYPE [NAME...] or TYPE/NAME...");
  erase->add_option("-f,--filename", options.files);
  erase->add_option("-l,--selector", options.selector);
  erase->add_option("--grace-period", options.grace_period, "seconds");
  erase->add_flag("--wait,!--no-wait", options.wait, "wait until it is gone");
  erase->callback(run(&kubectl::erase));

  auto* logs = app.add_subcommand("logs", "Show a container's log");
  common(logs);
  logs->add_option("pod", options.arguments)->required();
  logs->add_option("-c,--container", options.container);
  logs->add_flag("-f,--follow", options.follow);
  logs->add_flag("-p,--previous", options.previous);
  logs->add_flag("--timestamps", options.timestamps);
  logs->add_option("--tail", options.tail, "lines");
  logs->add_option("--since", options.since_seconds, "as 30s, 5m or 2h")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, std::int64_t>{{"s", 1}, {"m", 60}, {"h", 3600}}));
  logs->callback(run(&kubectl::logs));
  app.require_subcommand(1);
}

}  // namespace troupe::cli
