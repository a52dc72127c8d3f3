// What one pod costs: parse, conform, encode, make_object; microseconds per operation, best of several rounds.
// Usage: messages_bench POD.json (tests/bench/pod.json is a typical one, 4.4 KB)
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "messages/object.hpp"
#include "messages/schema/codec.hpp"
#include "messages/views/core_v1.hpp"

using namespace troupe;

namespace {

constexpr int rounds = 9;
constexpr int repeats = 3000;

template <class Work>
void measure(const char* name, Work work) {
  using clock = std::chrono::steady_clock;
  double best = 1e9;
  for (int round = 0; round < rounds; ++round) {
    const auto start = clock::now();
    for (int i = 0; i < repeats; ++i) work();
    best = std::min(best, std::chrono::duration<double, std::micro>(clock::now() - start).count() / repeats);
  }
  std::printf("%-24s %6.2f us\n", name, best);
}

/// Keeps the compiler from leaving the work out.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

std::string read_file(const char* path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string json = argc > 1 ? read_file(argv[1]) : "";
  auto doc = document::parse(json);
  const std::uint16_t type = schema::find_type(core_v1::pod_view::type_id);
  schema::conform_report report;
  if (!doc || !schema::conform(*doc, doc->root(), type, report).ok()) {
    std::fprintf(stderr, "usage: messages_bench POD.json\n");
    return 1;
  }
  std::string canonical;
  schema::encode(canonical, doc->root(), type);
  std::printf("pod of %zu bytes\n", canonical.size());
  measure("parse", [&] { keep(document::parse(canonical)); });
  measure("parse + conform", [&] {
    auto parsed = document::parse(canonical);
    schema::conform_report unused;
    keep(schema::conform(*parsed, parsed->root(), type, unused));
  });
  std::string out;
  measure("encode", [&] {
    out.clear();
    schema::encode(out, doc->root(), type);
    keep(out);
  });
  const std::uint16_t pods = schema::find_resource("", "v1", "pods");
  measure("make_object", [&] { keep(make_object(pods, canonical, 123456, 1)); });
  const core_v1::pod_view pod(*doc);
  measure("read 4 fields by views", [&] {
    keep(pod.spec().node_name());
    keep(pod.metadata().name());
    keep(pod.spec().containers()[0].image());
    keep(pod.status().phase());
  });
  return 0;
}
