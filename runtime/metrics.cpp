// Prometheus' text format.
#include "runtime/metrics.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace troupe::metrics {

histogram::histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void histogram::observe(double seconds) {
  auto at = std::lower_bound(bounds_.begin(), bounds_.end(), seconds) - bounds_.begin();
  counts_[static_cast<std::size_t>(at)].fetch_add(1, std::memory_order_relaxed);
  sum_us_.fetch_add(static_cast<std::uint64_t>(seconds * 1e6), std::memory_order_relaxed);
}

void histogram::append(std::string& out, const std::string& name, const labels& with) const {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    total += counts_[i].load(std::memory_order_relaxed);
    auto bucket = with;
    bucket.emplace_back("le", i < bounds_.size() ? fmt::format("{}", bounds_[i]) : "+Inf");
    out += fmt::format("{} {}\n", series_name(name + "_bucket", bucket), total);
  }
  auto sum = static_cast<double>(sum_us_.load(std::memory_order_relaxed)) / 1e6;
  out +=
      fmt::format("{} {}\n{} {}\n", series_name(name + "_sum", with), sum, series_name(name + "_count", with), total);
}

std::string series_name(const std::string& name, const labels& with) {
  if (with.empty()) return name;
  std::string out = name + "{";
  for (const auto& [key, value] : with) {
    if (out.back() != '{') out += ',';
    out += key + "=\"";
    for (char c : value) {
      if (c == '\\' || c == '"') out += '\\';
      out += c == '\n' ? std::string("\\n") : std::string(1, c);
    }
    out += '"';
  }
  return out + "}";
}

registry::series& registry::add(const std::string& name, const std::string& help, const char* type, labels with) {
  auto& group = families_[name];
  group.help = help;
  group.type = type;
  group.all.push_back(std::make_unique<series>());
  group.all.back()->with = std::move(with);
  return *group.all.back();
}

counter& registry::make_counter(const std::string& name, const std::string& help, labels with) {
  std::lock_guard guard(mutex_);
  auto& made = add(name, help, "counter", std::move(with));
  made.as_counter = std::make_unique<counter>();
  return *made.as_counter;
}

gauge& registry::make_gauge(const std::string& name, const std::string& help, labels with) {
  std::lock_guard guard(mutex_);
  auto& made = add(name, help, "gauge", std::move(with));
  made.as_gauge = std::make_unique<gauge>();
  return *made.as_gauge;
}

histogram& registry::make_histogram(const std::string& name, const std::string& help, std::vector<double> bounds,
                                    labels with) {
  std::lock_guard guard(mutex_);
  auto& made = add(name, help, "histogram", std::move(with));
  made.as_histogram = std::make_unique<histogram>(std::move(bounds));
  return *made.as_histogram;
}

void registry::make_callback(const std::string& name, const std::string& help, std::function<double()> read,
                             labels with) {
  std::lock_guard guard(mutex_);
  add(name, help, "gauge", std::move(with)).as_callback = std::move(read);
}

std::string registry::text() const {
  std::lock_guard guard(mutex_);
  std::string out;
  for (const auto& [name, group] : families_) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, group.help, name, group.type);
    for (const auto& one : group.all) {
      if (one->as_histogram) {
        one->as_histogram->append(out, name, one->with);
      } else if (one->as_counter) {
        out += fmt::format("{} {}\n", series_name(name, one->with), one->as_counter->value());
      } else if (one->as_gauge) {
        out += fmt::format("{} {}\n", series_name(name, one->with), one->as_gauge->value());
      } else {
        out += fmt::format("{} {}\n", series_name(name, one->with), one->as_callback());
      }
    }
  }
  return out;
}

}  // namespace troupe::metrics
