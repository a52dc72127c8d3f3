// Measures the whole of Troupe from outside, over TLS, each row on a cluster of its own:
//   troupe_bench --troupe build/troupe [--json FILE] [--row NAME] [--check]
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/bench/rows/rows.hpp"

namespace {

using namespace troupe::bench;

struct options {
  std::string binary = "build/troupe";
  std::string json;
  std::string row;
  bool check = false;
};

options read_options(int argc, char** argv) {
  options read;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    auto value = [&]() -> std::string {
      if (i + 1 == argc) throw std::runtime_error(word + " needs a value");
      return argv[++i];
    };
    if (word == "--troupe")
      read.binary = value();
    else if (word == "--json")
      read.json = value();
    else if (word == "--row")
      read.row = value();
    else if (word == "--check")
      read.check = true;
    else
      throw std::runtime_error("unknown argument " + word +
                               "; known: --troupe BINARY, --json FILE, --row NAME, --check (fail below a floor)");
  }
  return read;
}

row_result make_row(std::string name, std::string unit, goal wanted) {
  row_result made;
  made.name = std::move(name);
  made.unit = std::move(unit);
  made.wanted = wanted;
  return made;
}

/// Rows that are measured together.
struct measurement {
  std::vector<row_result> rows;
  std::function<void(const std::string& binary, std::vector<row_result>& rows)> run;
};

std::vector<measurement> all_measurements() {
  auto at_least = [](double peer, double floor, double aim) { return goal{peer, floor, aim, true}; };
  auto at_most = [](double peer, double floor, double aim) { return goal{peer, floor, aim, false}; };
  using rows = std::vector<row_result>;
  std::vector<measurement> all;
  auto add = [&](rows made, std::function<void(const std::string&, rows&)> run) {
    all.push_back({std::move(made), std::move(run)});
  };
  add({make_row("start to /readyz", "s", at_most(4.5, 0.45, 0.1))},
      [](const std::string& b, rows& r) { start_row(b, r[0]); });
  add({make_row("idle RSS, one hollow node", "MiB", at_most(512, 50, 25)),
       make_row("idle CPU, one hollow node", "%", at_most(7, 1, 0.5))},
      [](const std::string& b, rows& r) { idle_row(b, r[0], r[1]); });
  add({make_row("create pod, 32 clients", "/s", at_least(604, 4'000, 15'000))},
      [](const std::string& b, rows& r) { create_row(b, r[0]); });
  add({make_row("get pod, 32 clients", "/s", at_least(2'293, 15'000, 60'000))},
      [](const std::string& b, rows& r) { get_row(b, r[0]); });
  add({make_row("list 5,000 pods", "ms", at_most(259, 40, 8))},
      [](const std::string& b, rows& r) { list_row(b, r[0]); });
  add({make_row("100 watchers x updates, deliveries", "/s", at_least(16'000, 60'000, 200'000))},
      [](const std::string& b, rows& r) { watchers_row(b, r[0]); });
  add({make_row("p99 of get under list of 5,000", "ms", at_most(0, 10, 2))},
      [](const std::string& b, rows& r) { get_under_list_row(b, r[0]); });
  add({make_row("3,000 pods bound, 100 nodes", "/s", at_least(208, 2'000, 10'000))},
      [](const std::string& b, rows& r) { bind_row(b, 100, r[0]); });
  add({make_row("3,000 pods bound, 1,000 nodes", "/s", at_least(130, 2'000, 10'000))},
      [](const std::string& b, rows& r) { bind_row(b, 1'000, r[0]); });
  add({make_row("deployment of 2,000 until Running", "s", at_most(36, 4, 0.5))},
      [](const std::string& b, rows& r) { deployment_row(b, r[0]); });
  add({make_row("delete deployment of 3,000 running", "s", at_most(0, 8, 1))},
      [](const std::string& b, rows& r) { delete_deployment_row(b, r[0]); });
  add({make_row("deletecollection of 5,000 running", "s", at_most(20, 10, 1.5))},
      [](const std::string& b, rows& r) { delete_collection_row(b, r[0]); });
  return all;
}

std::string lower(std::string text) {
  for (auto& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return text;
}

/// Runs what the options ask for; true when everything was measured and, with --check, holds its floor.
bool measure_all(const options& wanted) {
  std::vector<row_result> done;
  bool good = true;
  std::fputs(table_head().c_str(), stdout);
  for (auto& each : all_measurements()) {
    auto meant = [&](const row_result& row) { return lower(row.name).find(lower(wanted.row)) != std::string::npos; };
    if (std::none_of(each.rows.begin(), each.rows.end(), meant)) continue;
    try {
      each.run(wanted.binary, each.rows);
    } catch (const std::exception& failed) {
      for (auto& row : each.rows) row.error = failed.what();
    }
    for (auto& row : each.rows) {
      std::fputs(table_line(row).c_str(), stdout);
      good = good && row.error.empty() && (row.holds() || !wanted.check);
      done.push_back(std::move(row));
    }
    std::fflush(stdout);
  }
  if (done.empty()) throw std::runtime_error("no row has \"" + wanted.row + "\" in its name");
  if (!wanted.json.empty() && !(std::ofstream(wanted.json) << to_json(done)))
    throw std::runtime_error("cannot write " + wanted.json);
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return measure_all(read_options(argc, argv)) ? 0 : 1;
  } catch (const std::exception& failed) {
    std::fprintf(stderr, "troupe_bench: %s\n", failed.what());
    return 2;
  }
}
