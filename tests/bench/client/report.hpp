// The figures of benchmark rows, as a table and as JSON.
#pragma once

#include <string>
#include <vector>

namespace troupe::bench {

/// What is asked of a row: a rate at least, or a time, memory or load at most.
struct goal {
  double peer = 0;
  double floor = 0;  // must hold; 0: none
  double aim = 0;
  bool at_least = true;
};

/// One measured row. A figure below zero was not measured.
struct row_result {
  std::string name;
  std::string unit;   // of `value`, floor and aim
  double value = -1;  // what is judged
  double rate = -1;   // operations a second
  double p50_ms = -1;
  double p99_ms = -1;
  double cpu_us = -1;  // of the server, for each operation
  double rss_mib = -1;
  goal wanted;
  std::string error;  // why there are no figures

  bool holds() const;
};

/// The table's head and one line of it.
std::string table_head();
std::string table_line(const row_result& row);
/// All rows as one JSON document.
std::string to_json(const std::vector<row_result>& rows);

}  // namespace troupe::bench
