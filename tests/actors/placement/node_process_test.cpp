// What a node's process does before its actors start.
#include "runtime/placement/node_process.hpp"

#include <doctest/doctest.h>

#include <ctime>
#include <filesystem>

#include <unistd.h>

#include "runtime/certificate_request.hpp"
#include "runtime/node_certificate.hpp"
#include "runtime/pki.hpp"
#include "runtime/placement/link_files.hpp"

namespace node_process_tests {

using namespace troupe;

pki::key_pair certificate_of(const pki::key_pair& authority, const std::string& node) {
  pki::subject who;
  who.common_name = "system:node:" + node;
  who.organizations = {"system:nodes"};
  who.client = true;
  who.not_before = static_cast<std::int64_t>(std::time(nullptr)) - 60;
  who.valid_seconds = 86400;
  auto made = pki::issue(authority, who);
  REQUIRE(made);
  return *made;
}

TEST_CASE("node process: a renewal that was cut off is finished before anybody looks at the certificates") {
  auto folder = std::filesystem::temp_directory_path() / ("troupe-settle-" + std::to_string(::getpid()));
  runtime::configuration config;
  config.data_dir = folder.string();
  config.nodes.runtime = "hollow";
  config.nodes.count = 1;
  config.link.servers = {"127.0.0.1:1"};
  auto files = runtime::link_files(config, "hollow-0");
  std::filesystem::create_directories(folder / "pki");
  auto authority = pki::make_authority("kubernetes", static_cast<std::int64_t>(std::time(nullptr)) - 60);
  REQUIRE(authority);
  auto old = certificate_of(*authority, "hollow-0"), renewed = certificate_of(*authority, "hollow-0");
  // Between the second and the last step of pki::replace_pair: the new key is there, its certificate waits.
  REQUIRE(pki::write_file(files.certificate, old.certificate, 0644).ok());
  REQUIRE(pki::write_file(files.certificate + ".new", renewed.certificate, 0644).ok());
  REQUIRE(pki::write_file(files.key, renewed.private_key, 0600).ok());
  REQUIRE(pki::write_file(files.authority, authority->certificate, 0644).ok());
  bool asked = false, fits = false;
  runtime::node_process process(config, [&](const auto& settled, const std::vector<std::string>& names) {
    asked = names == std::vector<std::string>{"hollow-0"};
    auto found = runtime::link_files(settled, "hollow-0");
    fits = pki::key_matches({*pki::read_file(found.certificate), *pki::read_file(found.key)});
    return bad_request("that is all this test wants");
  });
  auto ended = process.start();
  CHECK(ended.message == "that is all this test wants");
  CHECK(asked);
  CHECK(fits);
  std::filesystem::remove_all(folder);
}

}  // namespace node_process_tests
