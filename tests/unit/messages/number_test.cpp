// Numbers and times read from texts.
#include <doctest/doctest.h>

#include <cstdint>

#include "messages/number.hpp"
#include "messages/schema/scalars.hpp"

using namespace troupe;

TEST_CASE("a number is the whole text, and fits its type") {
  CHECK(number_in<int>("42") == 42);
  CHECK(number_in<int>("-7") == -7);
  CHECK(number_in<unsigned>("00000012") == 12U);
  CHECK(number_in<std::uint8_t>("255") == 255);
  for (const char* wrong : {"", " 1", "1 ", "1\n", "+1", "0x1", "1.0", "one"}) CHECK(!number_in<int>(wrong));
  CHECK(!number_in<std::uint8_t>("256"));
  CHECK(!number_in<unsigned>("-1"));
}

TEST_CASE("a time in milliseconds") {
  using schema::time_ms;
  CHECK(time_ms("1970-01-01T00:00:00Z") == 0);
  CHECK(time_ms("1969-12-31T23:59:59Z") == -1000);
  CHECK(time_ms("2026-01-02T03:04:05Z") == 1767323045000);
  CHECK(time_ms("2026-01-02T03:04:05.678901Z") == 1767323045678);
  CHECK(time_ms("2026-01-02T05:04:05+02:00") == 1767323045000);
  CHECK(time_ms("2024-02-29T12:00:00Z") == 1709208000000);
  for (const char* wrong : {"", "2026-01-02", "2026-01-02T03:04:05", "2026-02-29T12:00:00Z", "2026-01-02 03:04:05Z"})
    CHECK(!time_ms(wrong));
}
