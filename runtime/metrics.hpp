// Metrics: counters, gauges and histograms in Prometheus' text format, with Kubernetes' names.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace troupe::metrics {

/// Label names and values of one series, sorted by name when written.
using labels = std::vector<std::pair<std::string, std::string>>;

/// A value that only grows. Safe from any thread.
class counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// A value that goes up and down. Safe from any thread.
class gauge {
 public:
  void set(std::int64_t n) { value_.store(n, std::memory_order_relaxed); }
  void add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// Counts of observations by upper bound, in seconds. Safe from any thread.
class histogram {
 public:
  explicit histogram(std::vector<double> bounds);
  void observe(double seconds);
  /// Appends the series' _bucket, _sum and _count lines.
  void append(std::string& out, const std::string& name, const labels& with) const;

 private:
  std::vector<double> bounds_;
  std::vector<std::atomic<std::uint64_t>> counts_;  // one more than bounds: +Inf
  std::atomic<std::uint64_t> sum_us_{0};
};

/// All metrics of a process. Series are made once and live as long as the registry.
class registry {
 public:
  counter& make_counter(const std::string& name, const std::string& help, labels with = {});
  gauge& make_gauge(const std::string& name, const std::string& help, labels with = {});
  histogram& make_histogram(const std::string& name, const std::string& help, std::vector<double> bounds,
                            labels with = {});
  /// A gauge that is asked when it is read; the function must be safe from any thread.
  void make_callback(const std::string& name, const std::string& help, std::function<double()> read, labels with = {});
  /// Everything in text format 0.0.4, families sorted by name.
  std::string text() const;

 private:
  struct series {
    labels with;
    std::unique_ptr<counter> as_counter;
    std::unique_ptr<gauge> as_gauge;
    std::unique_ptr<histogram> as_histogram;
    std::function<double()> as_callback;
  };
  struct family {
    std::string help, type;
    std::vector<std::unique_ptr<series>> all;
  };
  series& add(const std::string& name, const std::string& help, const char* type, labels with);

  mutable std::mutex mutex_;
  std::map<std::string, family> families_;
};

/// "name{a=\"b\"}" with values escaped.
std::string series_name(const std::string& name, const labels& with);

}  // namespace troupe::metrics
