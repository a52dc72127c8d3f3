// Certificates are made, kept, renewed and bound to their authority.
#include "runtime/pki.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

using namespace troupe;

namespace {
constexpr std::int64_t now = 1'800'000'000;

struct temporary_directory {
  std::string path;
  temporary_directory() {
    char name[] = "/tmp/troupe-pki-XXXXXX";
    path = mkdtemp(name);
  }
  ~temporary_directory() { std::filesystem::remove_all(path); }
};
}  // namespace

TEST_CASE("a cluster's certificates are made once and kept") {
  temporary_directory dir;
  auto first = pki::load_or_make(dir.path, {{"localhost", "127.0.0.1", "10.96.0.1"}}, now);
  REQUIRE(first.ok());
  auto second = pki::load_or_make(dir.path, {{"localhost", "127.0.0.1"}}, now + 3600);
  REQUIRE(second.ok());
  CHECK(first->serving.certificate == second->serving.certificate);
  CHECK(first->admin.private_key == second->admin.private_key);
  CHECK(pki::names_covered(first->serving.certificate, {"localhost", "10.96.0.1"}));
  CHECK(!pki::names_covered(first->serving.certificate, {"10.96.0.2"}));
  struct stat info {};
  REQUIRE(stat((dir.path + "/ca.key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("a serving certificate is made anew for a new name and before it ends, a foreign one is replaced") {
  temporary_directory dir;
  auto first = pki::load_or_make(dir.path, {{"localhost"}}, now);
  REQUIRE(first.ok());
  auto renamed = pki::load_or_make(dir.path, {{"localhost", "192.0.2.7"}}, now);
  REQUIRE(renamed.ok());
  CHECK(first->serving.certificate != renamed->serving.certificate);
  CHECK(first->admin.certificate == renamed->admin.certificate);

  auto late = pki::load_or_make(dir.path, {{"localhost"}}, now + 340 * 24 * 3600);
  REQUIRE(late.ok());
  CHECK(late->admin.certificate != first->admin.certificate);
  CHECK(late->authority.certificate == first->authority.certificate);

  std::filesystem::remove(dir.path + "/ca.crt");
  auto other = pki::load_or_make(dir.path, {{"localhost"}}, now);
  REQUIRE(other.ok());
  CHECK(other->admin.certificate != late->admin.certificate);
}

TEST_CASE("a broken certificate file is replaced, never trusted") {
  temporary_directory dir;
  REQUIRE(pki::load_or_make(dir.path, {{"localhost"}}, now).ok());
  REQUIRE(pki::write_file(dir.path + "/admin.crt", "garbage", 0644).ok());
  auto again = pki::load_or_make(dir.path, {{"localhost"}}, now);
  REQUIRE(again.ok());
  CHECK(pki::not_after(again->admin.certificate) == now + 365 * 24 * 3600);
}

TEST_CASE("kubeconfig carries server, authority and client") {
  auto text = pki::make_kubeconfig("https://127.0.0.1:6443", "CA", {"CERT", "KEY"}, "troupe", "kubernetes-admin");
  CHECK(text.find("server: https://127.0.0.1:6443\n") != std::string::npos);
  CHECK(text.find("certificate-authority-data: Q0E=\n") != std::string::npos);
  CHECK(text.find("client-key-data: S0VZ\n") != std::string::npos);
}

TEST_CASE("what was issued is renewed in the last fifth of its life, by a process that runs") {
  temporary_directory dir;
  pki::issuing how{{"localhost"}, 100};
  auto made = pki::load_or_make(dir.path, how, now);
  REQUIRE(made.ok());
  auto used = *made;
  REQUIRE(pki::renew_issued(dir.path, how, now + 79, used).ok());
  CHECK(used.serving.certificate == made->serving.certificate);
  CHECK(used.admin.certificate == made->admin.certificate);
  REQUIRE(pki::renew_issued(dir.path, how, now + 81, used).ok());
  CHECK(pki::not_after(used.serving.certificate) == now + 181);
  CHECK(pki::not_after(used.admin.certificate) == now + 181);
  CHECK(used.authority.certificate == made->authority.certificate);
  CHECK(pki::renewal_window(pki::one_year) == 30 * 24 * 3600);
}

TEST_CASE("a pair that somebody else has put there is taken over, half of one is not") {
  temporary_directory dir;
  pki::issuing how{{"localhost"}};
  auto used = *pki::load_or_make(dir.path, how, now);
  pki::subject serving;
  serving.common_name = "kube-apiserver";
  serving.names = {"localhost", "192.0.2.7"};
  serving.server = true;
  serving.not_before = now;
  auto theirs = pki::issue(used.authority, serving);
  REQUIRE(theirs.ok());
  REQUIRE(pki::write_file(dir.path + "/apiserver.key", theirs->private_key, 0600).ok());
  REQUIRE(pki::write_file(dir.path + "/apiserver.crt", theirs->certificate, 0644).ok());
  REQUIRE(pki::renew_issued(dir.path, how, now, used).ok());
  CHECK(used.serving.certificate == theirs->certificate);

  auto other = pki::issue(used.authority, serving);
  REQUIRE(pki::write_file(dir.path + "/apiserver.crt", other->certificate, 0644).ok());
  REQUIRE(pki::renew_issued(dir.path, how, now, used).ok());
  CHECK(used.serving.certificate != theirs->certificate);
  CHECK(used.serving.certificate != other->certificate);
}

TEST_CASE("a renewed client replaces the former one in a kubeconfig, and nothing else") {
  const pki::key_pair before{"CERT", "KEY"}, after{"NEWER", "NEWKEY"};
  auto text = pki::make_kubeconfig("https://127.0.0.1:6443", "CA", before, "troupe", "kubernetes-admin") + "# mine\n";
  auto changed = pki::replace_client(text, before, after);
  CHECK(changed ==
        pki::make_kubeconfig("https://127.0.0.1:6443", "CA", after, "troupe", "kubernetes-admin") + "# mine\n");
  CHECK(pki::replace_client(changed, before, after).empty());
}
