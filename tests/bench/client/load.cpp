// The closed loop.
#include "tests/bench/client/load.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>

#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/client/channel.hpp"

namespace troupe::bench {

std::uint64_t now_us() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

double own_cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

double outcome::percentile_ms(double part) const {
  if (latencies_us.empty()) return 0;
  auto at = static_cast<std::size_t>(part * static_cast<double>(latencies_us.size() - 1));
  return latencies_us[at] / 1000.0;
}

namespace {

/// One run in progress.
class runner {
 public:
  runner(const target& where, const load& what) : what_(what), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    tls_client tls(where, what.h2);
    for (std::size_t i = 0; i < what.connections; ++i) {
      auto* connection = tls.connect();
      if (what.h2)
        channels_.push_back(std::make_unique<h2_channel>(connection));
      else
        channels_.push_back(std::make_unique<h1_channel>(connection));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = channels_.back().get();
      epoll_ctl(epoll_, EPOLL_CTL_ADD, channels_.back()->socket(), &event);
    }
    if (what.requests > 0) result_.latencies_us.reserve(what.requests);
  }
  ~runner() { ::close(epoll_); }
  runner(const runner&) = delete;
  runner& operator=(const runner&) = delete;

  outcome go() {
    auto begun = now_us();
    auto cpu = own_cpu_seconds();
    end_us_ = what_.time.count() > 0 ? begun + static_cast<std::uint64_t>(what_.time.count()) * 1000 : ~0ull;
    for (auto& each : channels_) {
      for (std::size_t i = 0; i < what_.streams; ++i) next(*each);
      flush(*each);
    }
    while (in_flight_ > 0) turn();
    result_.seconds = static_cast<double>(now_us() - begun) / 1e6;
    result_.client_cpu_seconds = own_cpu_seconds() - cpu;
    std::sort(result_.latencies_us.begin(), result_.latencies_us.end());
    return std::move(result_);
  }

 private:
  void next(channel& on) {
    auto now = now_us();
    if ((what_.requests > 0 && started_ == what_.requests) || now >= end_us_) return;
    request_ = {};
    what_.make(started_++, request_);
    ++in_flight_;
    on.start(request_, [this, &on, now](int code, std::size_t body) { answered(on, now, code, body); }, {});
  }

  void answered(channel& on, std::uint64_t begun, int code, std::size_t body) {
    --in_flight_;
    last_us_ = now_us();
    result_.latencies_us.push_back(static_cast<std::uint32_t>(last_us_ - begun));
    bool good = code > 0 && code < 400;
    ++(good ? result_.answers : result_.failures);
    if (!good && result_.first_failure.empty()) result_.first_failure = "code " + std::to_string(code);
    if (what_.seen) what_.seen(code, body);
    next(on);
  }

  void flush(channel& which) {
    which.flush();
    epoll_event event{};
    event.data.ptr = &which;
    if (!which.wants_write()) return;
    event.events = EPOLLIN | EPOLLOUT;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, which.socket(), &event);
  }

  void turn() {
    std::array<epoll_event, 64> events;
    int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 1000);
    if (ready == 0 && last_us_ > 0 && now_us() - last_us_ > static_cast<std::uint64_t>(what_.patience.count()) * 1000)
      throw std::runtime_error("no answer for " + std::to_string(what_.patience.count()) + " ms");
    for (int i = 0; i < ready; ++i) {
      auto& event = events[static_cast<std::size_t>(i)];
      auto& which = *static_cast<channel*>(event.data.ptr);
      which.on_ready();
      if ((event.events & EPOLLOUT) == 0 || which.wants_write()) {
        if (which.wants_write()) flush(which);
        continue;
      }
      epoll_event only_in{};
      only_in.events = EPOLLIN;
      only_in.data.ptr = &which;
      epoll_ctl(epoll_, EPOLL_CTL_MOD, which.socket(), &only_in);
    }
  }

  const load& what_;
  int epoll_;
  std::vector<std::unique_ptr<channel>> channels_;
  request request_;
  outcome result_;
  std::uint64_t started_ = 0;
  std::uint64_t in_flight_ = 0;
  std::uint64_t end_us_ = 0;
  std::uint64_t last_us_ = now_us();
};

}  // namespace

outcome run(const target& where, const load& what) { return runner(where, what).go(); }

}  // namespace troupe::bench
