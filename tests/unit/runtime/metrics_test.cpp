// The metrics' text form.
#include "runtime/metrics.hpp"

#include <doctest/doctest.h>

using namespace troupe;

TEST_CASE("metrics are written in Prometheus' text format") {
  metrics::registry all;
  all.make_counter("requests_total", "Requests.", {{"verb", "GET"}}).add(3);
  all.make_gauge("inflight", "Now.").set(-2);
  auto& times = all.make_histogram("seconds", "Times.", {0.1, 1});
  times.observe(0.05);
  times.observe(0.5);
  times.observe(7);
  all.make_callback("asked", "Read on demand.", [] { return 1.5; }, {{"path", "a\"b"}});
  CHECK(all.text() ==
        "# HELP asked Read on demand.\n# TYPE asked gauge\nasked{path=\"a\\\"b\"} 1.5\n"
        "# HELP inflight Now.\n# TYPE inflight gauge\ninflight -2\n"
        "# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{verb=\"GET\"} 3\n"
        "# HELP seconds Times.\n# TYPE seconds histogram\nseconds_bucket{le=\"0.1\"} 1\nseconds_bucket{le=\"1\"} 2\n"
        "seconds_bucket{le=\"+Inf\"} 3\nseconds_sum 7.55\nseconds_count 3\n");
}
