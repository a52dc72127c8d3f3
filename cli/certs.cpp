// `troupe certs`: what certificates there are and when they end; a node's or component's certificate made by hand.
#include <algorithm>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "messages/wall_time.hpp"
#include "runtime/link/identity.hpp"
#include "runtime/pki.hpp"

namespace troupe::cli {
namespace {

int refuse_certificates(const std::string& why) {
  std::cerr << "troupe certs: " << why << "\n";
  return 1;
}

/// One line a certificate of the folder, the one that ends first on top.
int list_certificates(const std::string& folder) {
  std::vector<std::pair<std::int64_t, std::string>> found;
  std::error_code failed;
  for (const auto& file : std::filesystem::directory_iterator(folder, failed)) {
    if (file.path().extension() != ".crt") continue;
    auto text = pki::read_file(file.path());
    // sa.crt is the public half of the key that signs tokens: no certificate.
    if (auto end = text ? pki::not_after(*text) : 0; end > 0) found.emplace_back(end, file.path().stem());
  }
  if (failed) return refuse_certificates("cannot read " + folder + ": " + failed.message());
  std::sort(found.begin(), found.end());
  auto now = static_cast<std::int64_t>(std::time(nullptr));
  std::cout << "CERTIFICATE  EXPIRES  DAYS LEFT\n";
  for (const auto& [end, name] : found)
    std::cout << name << "  " << time_text(static_cast<std::uint64_t>(end) * 1000) << "  "
              << std::max<std::int64_t>((end - now) / 86400, 0) << "\n";
  return 0;
}

result<pki::key_pair> read_authority(const std::string& data_dir) {
  auto certificate = pki::read_file(data_dir + "/pki/ca.crt");
  if (!certificate) return certificate.error();
  auto key = pki::read_file(data_dir + "/pki/ca.key");
  if (!key) return key.error();
  return pki::key_pair{*certificate, *key};
}

/// A certificate for a link: the name of its files and whose it is.
struct wanted_certificate {
  std::string name;
  std::string common_name;
  std::vector<std::string> organizations;
};

status make_one(const pki::key_pair& authority, const wanted_certificate& wanted, const std::string& out) {
  pki::subject who;
  who.common_name = wanted.common_name;
  who.organizations = wanted.organizations;
  who.client = true;
  who.not_before = static_cast<std::int64_t>(std::time(nullptr));
  auto made = pki::issue(authority, who);
  if (!made) return made.error();
  auto base = out + "/" + wanted.name;
  if (auto bad = pki::write_file(base + ".key", made->private_key, 0600); !bad.ok()) return bad;
  return pki::write_file(base + ".crt", made->certificate, 0644);
}

/// Writes ca.crt, NAME.crt and NAME.key as a process without api_server reads them from its link.credentials.
int make_certificates(const std::string& data_dir, const std::string& out,
                      const std::vector<wanted_certificate>& wanted) {
  auto authority = read_authority(data_dir);
  if (!authority) return refuse_certificates(authority.error().message);
  std::error_code failed;
  std::filesystem::create_directories(out, failed);
  if (failed) return refuse_certificates("cannot create " + out + ": " + failed.message());
  if (auto bad = pki::write_file(out + "/ca.crt", authority->certificate, 0644); !bad.ok())
    return refuse_certificates(bad.message);
  for (const auto& one : wanted)
    if (auto bad = make_one(*authority, one, out); !bad.ok()) return refuse_certificates(bad.message);
  return 0;
}

wanted_certificate of_node(const std::string& name) { return {name, "system:node:" + name, {"system:nodes"}}; }

wanted_certificate of_component(const std::string& name) { return {name, link::user_of_component(name), {}}; }

std::vector<wanted_certificate> each(const std::vector<std::string>& names,
                                     wanted_certificate (*of)(const std::string&)) {
  std::vector<wanted_certificate> out;
  out.reserve(names.size());
  for (const auto& name : names) out.push_back(of(name));
  return out;
}

/// The names of components that have links.
std::vector<std::string> component_names() {
  std::vector<std::string> out;
  for (const auto& one : link::lone_components) out.emplace_back(one.name);
  return out;
}

}  // namespace

void add_certs(CLI::App& app, int& exit_code) {
  struct flags {
    std::string data_dir, folder, out;
    std::vector<std::string> names;
  };
  auto given = std::make_shared<flags>();
  auto* certs = app.add_subcommand("certs", "List certificates; make those of nodes and components");
  certs->require_subcommand(1);
  auto* shown = certs->add_subcommand("list", "Certificates and when they expire");
  auto* folder = shown->add_option("--folder", given->folder, "as link.credentials names it");
  shown->add_option("--data-dir", given->data_dir, "of any process of the cluster")->excludes(folder);
  shown->callback([given, &exit_code] {
    if (given->folder.empty() && given->data_dir.empty()) throw CLI::RequiredError("--data-dir");
    exit_code = list_certificates(given->folder.empty() ? given->data_dir + "/pki" : given->folder);
  });
  auto add_maker = [&](const char* name, const char* about, const char* which, auto of) {
    auto* made = certs->add_subcommand(name, about);
    auto* names = made->add_option("names", given->names, which)->required();
    made->add_option("--data-dir", given->data_dir, "of the control plane, where its authority lies")->required();
    made->add_option("--out", given->out, "folder to write ca.crt, NAME.crt and NAME.key to")->required();
    made->callback([given, of, &exit_code] {
      exit_code = make_certificates(given->data_dir, given->out, each(given->names, of));
    });
    return names;
  };
  add_maker("node", "Make certificates for nodes, to be carried to their machines", "names of the nodes", of_node);
  add_maker("component", "Make certificates for components in processes of their own",
            "scheduler, controller_manager, cloud_controller_manager, kube_proxy", of_component)
      ->check(CLI::IsMember(component_names()));
}

}  // namespace troupe::cli
