// IPv4 addresses and ranges in texts.
#include "messages/ipv4.hpp"

#include <doctest/doctest.h>

using namespace troupe;

TEST_CASE("an address has one spelling") {
  CHECK(ipv4_in("10.0.0.1") == 0x0a000001u);
  CHECK(ipv4_in("255.255.255.255") == 0xffffffffu);
  CHECK(ipv4_text(0x0a00ff01u) == "10.0.255.1");
  for (const char* text : {"", "10", "10.0.0", "10.0.0.", "10.0.0.1.2", "10.0.0.256", "10.0.0.01", "10.0.0.-1",
                           "a.b.c.d", "10.0.0.1 ", "::1"}) {
    INFO(text);
    CHECK(!ipv4_in(text));
  }
}

TEST_CASE("a block knows its ends") {
  auto block = ipv4_block_in("10.244.3.7/16");
  REQUIRE(block);
  CHECK(ipv4_text(block->first()) == "10.244.0.0");
  CHECK(ipv4_text(block->last()) == "10.244.255.255");
  CHECK(block->overlaps(*ipv4_block_in("10.244.7.0/24")));
  CHECK(ipv4_block_in("0.0.0.0/0")->overlaps(*block));
  CHECK(!block->overlaps(*ipv4_block_in("10.245.0.0/16")));
  for (const char* text : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "/8"}) CHECK(!ipv4_block_in(text));
}

TEST_CASE("a pool is a block without its ends, or what lies between two addresses") {
  auto of = [](const char* text) {
    auto pool = ipv4_pool_in(text);
    return pool ? ipv4_text(pool->first) + " " + ipv4_text(pool->last) : std::string();
  };
  CHECK(of("10.0.0.0/29") == "10.0.0.1 10.0.0.6");
  CHECK(of("10.0.0.4/31") == "10.0.0.4 10.0.0.5");
  CHECK(of("10.0.0.4/32") == "10.0.0.4 10.0.0.4");
  CHECK(of("10.0.0.4-10.0.0.9") == "10.0.0.4 10.0.0.9");
  CHECK(of("10.0.0.9-10.0.0.4").empty());
  CHECK(of("10.0.0.9").empty());
  CHECK(of("10.0.0.1-").empty());
}
