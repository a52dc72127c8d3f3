// Reading watches.
#include "tests/bench/client/watcher.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/client/channel.hpp"
#include "tests/bench/client/load.hpp"

namespace troupe::bench {

watcher::watcher(const target& where, const std::string& path, std::size_t watches, bool h2, std::size_t streams,
                 std::function<void(std::string_view)> on_line)
    : on_line_(std::move(on_line)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  tls_client tls(where, h2);
  request what;
  what.path = path;
  for (std::size_t i = 0; i < watches; ++i) {
    bool fresh = !h2 || i % streams == 0;
    if (fresh && h2) channels_.push_back(std::make_unique<h2_channel>(tls.connect()));
    if (fresh && !h2) channels_.push_back(std::make_unique<h1_channel>(tls.connect()));
    auto& on = *channels_.back();
    auto bytes = [this, first = i == 0](std::string_view data) {
      bytes_.fetch_add(data.size(), std::memory_order_relaxed);
      events_.fetch_add(static_cast<std::uint64_t>(std::count(data.begin(), data.end(), '\n')),
                        std::memory_order_relaxed);
      if (!first || !on_line_) return;
      line_.append(data);
      std::size_t from = 0;
      for (auto end = line_.find('\n'); end != std::string::npos; end = line_.find('\n', from)) {
        on_line_(std::string_view(line_).substr(from, end - from));
        from = end + 1;
      }
      line_.erase(0, from);
    };
    on.start(
        what, [this](int, std::size_t) { ended_.fetch_add(1, std::memory_order_relaxed); }, bytes);
    on.flush();
    if (!fresh) continue;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &on;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, on.socket(), &event);
  }
  thread_ = std::thread([this] { read_all(); });
}

watcher::~watcher() {
  stop_ = true;
  thread_.join();
  ::close(epoll_);
}

void watcher::read_all() {
  std::array<epoll_event, 64> events;
  while (!stop_) {
    int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 50);
    for (int i = 0; i < ready; ++i) {
      auto& which = *static_cast<channel*>(events[static_cast<std::size_t>(i)].data.ptr);
      try {
        which.on_ready();
      } catch (const std::runtime_error&) {
        epoll_ctl(epoll_, EPOLL_CTL_DEL, which.socket(), nullptr);
        ended_.fetch_add(1, std::memory_order_relaxed);
      }
    }
  }
}

bool watcher::wait_for(std::uint64_t count, std::chrono::milliseconds time) const {
  auto end = now_us() + static_cast<std::uint64_t>(time.count()) * 1000;
  while (events() < count) {
    if (now_us() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace troupe::bench
