// A certificate without the key ever leaving its machine.
#include <doctest/doctest.h>

#include "runtime/certificate_request.hpp"
#include "runtime/link/tls.hpp"

using namespace troupe;

namespace {

constexpr std::int64_t csr_time = 1'800'000'000;

pki::subject node_subject(const std::string& name) {
  pki::subject who;
  who.common_name = "system:node:" + name;
  who.organizations = {"system:nodes"};
  return who;
}

}  // namespace

TEST_CASE("a request becomes a certificate for its key") {
  auto authority = pki::make_authority("kubernetes", csr_time);
  REQUIRE(authority);
  auto made = pki::make_request(node_subject("a"));
  REQUIRE(made);
  auto read = pki::read_request(made->request);
  REQUIRE(read);
  CHECK(read->common_name == "system:node:a");
  CHECK(read->organizations == std::vector<std::string>{"system:nodes"});
  CHECK(read->names.empty());
  CHECK(!read->others);
  pki::subject grant;
  grant.client = true;
  grant.not_before = csr_time;
  grant.valid_seconds = 1000;
  auto signed_one = pki::sign_request(*authority, made->request, grant);
  REQUIRE(signed_one);
  CHECK(pki::not_after(*signed_one) == csr_time + 1000);
  CHECK(pki::key_matches(pki::key_pair{*signed_one, made->private_key}));
  auto other = pki::make_request(node_subject("a"));
  CHECK(!pki::key_matches(pki::key_pair{*signed_one, other->private_key}));
  // It is what the link takes.
  CHECK(link::make_dialing_context(link::credentials{*signed_one, made->private_key, authority->certificate}));
}

TEST_CASE("what is no request is refused") {
  CHECK(!pki::read_request(""));
  CHECK(!pki::read_request("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"));
  auto made = pki::make_request(node_subject("a"));
  REQUIRE(made);
  auto damaged = made->request;
  auto at = damaged.size() - 60;  // inside the signature
  damaged[at] = damaged[at] == 'A' ? 'B' : 'A';
  CHECK(!pki::read_request(damaged));
}

TEST_CASE("an authority is pinned by the hash of its key") {
  auto authority = pki::make_authority("kubernetes", csr_time);
  auto other = pki::make_authority("kubernetes", csr_time);
  auto hash = pki::public_key_hash(authority->certificate);
  REQUIRE(hash);
  CHECK(hash->starts_with("sha256:"));
  CHECK(hash->size() == 7 + 64);
  CHECK(*hash == *pki::public_key_hash(authority->certificate));
  CHECK(*hash != *pki::public_key_hash(other->certificate));
  CHECK(!pki::public_key_hash("nonsense"));
}

TEST_CASE("of what an unproven server sends, the pinned certificate is kept and nothing else is taken") {
  auto authority = pki::make_authority("kubernetes", csr_time);
  auto evil = pki::make_authority("kubernetes", csr_time);
  REQUIRE((authority && evil));
  const auto& good = authority->certificate;
  auto hash = *pki::public_key_hash(good);
  auto kept = pki::pinned_certificate("# a comment\n" + good + "trailing text\n", hash);
  REQUIRE(kept);
  CHECK(*kept == good);
  // The first block is the pinned one, and the server's own authority follows.
  for (const auto& bundle : {good + evil->certificate, evil->certificate + good, good + good, evil->certificate,
                             good + evil->private_key, std::string(), std::string("nonsense")}) {
    CAPTURE(bundle);
    auto taken = pki::pinned_certificate(bundle, hash);
    REQUIRE(!taken);
    CHECK(taken.error().code == 401);
  }
  CHECK(!pki::pinned_certificate(good, "sha256:00"));
}
