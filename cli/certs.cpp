// `troupe certs`: what certificates there are and when they end; a node's certificate made by hand.
#include <algorithm>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "runtime/pki.hpp"

namespace troupe::cli {
namespace {

int refuse_certificates(const std::string& why) {
  std::cerr << "troupe certs: " << why << "\n";
  return 1;
}

std::string date_text(std::int64_t seconds) {
  std::tm when{};
  time_t at = seconds;
  gmtime_r(&at, &when);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &when)};
}

/// One line a certificate of the folder, the one that ends first on top.
int list_certificates(const std::string& data_dir) {
  auto folder = data_dir + "/pki";
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
    std::cout << name << "  " << date_text(end) << "  " << std::max<std::int64_t>((end - now) / 86400, 0) << "\n";
  return 0;
}

result<pki::key_pair> read_authority(const std::string& data_dir) {
  auto certificate = pki::read_file(data_dir + "/pki/ca.crt");
  if (!certificate) return certificate.error();
  auto key = pki::read_file(data_dir + "/pki/ca.key");
  if (!key) return key.error();
  return pki::key_pair{*certificate, *key};
}

/// Writes ca.crt, NAME.crt and NAME.key as `troupe node` reads them from its link.credentials.
int make_node_certificates(const std::string& data_dir, const std::string& out, const std::vector<std::string>& names) {
  auto authority = read_authority(data_dir);
  if (!authority) return refuse_certificates(authority.error().message);
  std::error_code failed;
  std::filesystem::create_directories(out, failed);
  if (failed) return refuse_certificates("cannot create " + out + ": " + failed.message());
  if (auto bad = pki::write_file(out + "/ca.crt", authority->certificate, 0644); !bad.ok())
    return refuse_certificates(bad.message);
  for (const auto& name : names) {
    pki::subject who;
    who.common_name = "system:node:" + name;
    who.organizations = {"system:nodes"};
    who.client = true;
    who.not_before = static_cast<std::int64_t>(std::time(nullptr));
    auto made = pki::issue(*authority, who);
    if (!made) return refuse_certificates(made.error().message);
    auto base = out + "/" + name;
    if (auto bad = pki::write_file(base + ".key", made->private_key, 0600); !bad.ok())
      return refuse_certificates(bad.message);
    if (auto bad = pki::write_file(base + ".crt", made->certificate, 0644); !bad.ok())
      return refuse_certificates(bad.message);
  }
  return 0;
}

}  // namespace

void add_certs(CLI::App& app, int& exit_code) {
  struct flags {
    std::string data_dir, out;
    std::vector<std::string> names;
  };
  auto given = std::make_shared<flags>();
  auto* certs = app.add_subcommand("certs", "List certificates; make a node's");
  certs->require_subcommand(1);
  auto* shown = certs->add_subcommand("list", "Certificates and when they expire");
  shown->add_option("--data-dir", given->data_dir, "of the control plane or node")->required();
  shown->callback([given, &exit_code] { exit_code = list_certificates(given->data_dir); });
  auto* node = certs->add_subcommand("node", "Make certificates for nodes, to be carried to their machines");
  node->add_option("names", given->names, "names of the nodes")->required();
  node->add_option("--data-dir", given->data_dir, "of the control plane, where its authority lies")->required();
  node->add_option("--out", given->out, "folder to write ca.crt, NAME.crt and NAME.key to")->required();
  node->callback(
      [given, &exit_code] { exit_code = make_node_certificates(given->data_dir, given->out, given->names); });
}

}  // namespace troupe::cli
