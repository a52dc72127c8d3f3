// Logs of CRI runtimes: lines, choices of the reader, files that grow and rotate.
#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "actors/container_runtime/cri/log_file.hpp"
#include "actors/container_runtime/cri/log_lines.hpp"

using namespace troupe::cri;

namespace {

const std::string three =
    "2026-01-02T03:04:05.000000001Z stdout F one\n"
    "2026-01-02T03:04:06.5Z stderr F two\n"
    "2026-01-02T03:04:07Z stdout F three\n";

std::string filtered(const log_choice& choice, std::string_view raw) {
  log_filter filter(choice);
  std::string out;
  filter.take(raw, out);
  return out;
}

std::int64_t time_of(std::string_view text) {
  std::int64_t out = -1;
  parse_log_time(text, out);
  return out;
}

/// A folder that goes with the test.
struct folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("troupe-log-" + std::to_string(getpid()));
  folder() { std::filesystem::create_directories(path); }
  ~folder() { std::filesystem::remove_all(path); }
  std::string file(const char* name) const { return path / name; }
  void append(const char* name, const std::string& text) const { std::ofstream(file(name), std::ios::app) << text; }
};

}  // namespace

TEST_CASE("lines of both streams, as the container wrote them") {
  CHECK(filtered({}, three) == "one\ntwo\nthree\n");
  CHECK(filtered({}, "2026-01-02T03:04:05Z stdout F \n2026-01-02T03:04:05Z stdout F  a  b \n") == "\n a  b \n");
  CHECK(filtered({}, "2026-01-02T03:04:05Z stdout F\n") == "\n");
  CHECK(filtered({}, "rubbish\n2026-01-02T03:04:05Z stdlog F x\n" + three) == "one\ntwo\nthree\n");
}

TEST_CASE("parts of a long line are joined, with one time for all") {
  std::string parts =
      "2026-01-02T03:04:05Z stdout P abc\n2026-01-02T03:04:06Z stdout P def\n2026-01-02T03:04:07Z stdout F ghi\n";
  CHECK(filtered({}, parts) == "abcdefghi\n");
  CHECK(filtered({true, 0, 0}, parts) == "2026-01-02T03:04:05.000000000Z abcdefghi\n");
}

TEST_CASE("times are shown with nine digits and compared as instants") {
  CHECK(filtered({true, 0, 0}, three) ==
        "2026-01-02T03:04:05.000000001Z one\n2026-01-02T03:04:06.500000000Z two\n"
        "2026-01-02T03:04:07.000000000Z three\n");
  CHECK(time_of("1970-01-01T00:00:01Z") == 1'000'000'000);
  CHECK(time_of("2024-02-29T12:00:00.25Z") == 1709208000'250'000'000);
  CHECK(time_of("2024-02-29T13:30:00.25+01:30") == 1709208000'250'000'000);
  CHECK(time_of("2024-02-29T10:00:00-02:00") == 1709208000'000'000'000);
  CHECK(time_of("yesterday") == -1);
  CHECK(filtered({false, time_of("2026-01-02T03:04:06.5Z"), 0}, three) == "two\nthree\n");
  CHECK(filtered({false, time_of("2026-01-02T03:04:06.6Z"), 0}, three) == "three\n");
}

TEST_CASE("a byte limit cuts within a line and ends the log") {
  log_filter filter({false, 0, 6});
  std::string out;
  filter.take(three.substr(0, three.find('\n') + 1), out);
  CHECK_FALSE(filter.full());
  filter.take(three.substr(three.find('\n') + 1), out);
  CHECK(out == "one\ntw");
  CHECK(filter.full());
}

TEST_CASE("where the last lines begin") {
  CHECK(tail_begin("a\nb\nc\n", 0) == 6);
  CHECK(tail_begin("a\nb\nc\n", 1) == 4);
  CHECK(tail_begin("a\nb\nc\n", 2) == 2);
  CHECK(tail_begin("a\nb\nc\n", 3) == 0);
  CHECK(tail_begin("a\nb\nc\n", 9) == 0);
  CHECK(tail_begin("a\nb", 1) == 0);
  CHECK(tail_begin("", 1) == 0);
}

TEST_CASE("a file is read as it grows, whole lines only") {
  folder here;
  here.append("0.log", "1 a\n2 ");
  log_file file;
  REQUIRE(file.open(here.file("0.log"), -1).empty());
  CHECK(file.read(100) == "1 a\n");
  CHECK(file.read(100).empty());
  here.append("0.log", "b\n3 c\n");
  CHECK(file.read(100) == "2 b\n3 c\n");
  CHECK(log_file().open(here.file("none.log"), -1).find("No such file") != std::string::npos);
}

TEST_CASE("the tail of a large file") {
  folder here;
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "line " + std::to_string(i) + "\n";
  here.append("0.log", text);
  log_file file;
  REQUIRE(file.open(here.file("0.log"), 3).empty());
  CHECK(file.read(100) == "line 49997\nline 49998\nline 49999\n");
  REQUIRE(file.open(here.file("0.log"), 40'000).empty());
  CHECK(file.read(100).starts_with("line 10000\n"));
  REQUIRE(file.open(here.file("0.log"), 0).empty());
  CHECK(file.read(100).empty());
}

TEST_CASE("a rotated and a truncated file are followed") {
  folder here;
  here.append("0.log", "1 a\n");
  log_file file;
  REQUIRE(file.open(here.file("0.log"), -1).empty());
  CHECK(file.read(100) == "1 a\n");
  here.append("0.log", "2 b\n");
  std::filesystem::rename(here.file("0.log"), here.file("0.log.old"));
  here.append("0.log", "3 c\n");
  CHECK(file.read(100) == "2 b\n");
  CHECK(file.read(100) == "3 c\n");
  std::filesystem::resize_file(here.file("0.log"), 0);
  here.append("0.log", "4\n");
  CHECK(file.read(100) == "4\n");
}
