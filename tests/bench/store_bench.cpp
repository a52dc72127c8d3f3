// The store alone: durable puts by concurrent clients in process, the core's cost of a transaction, opening.
//   store_bench [DIRECTORY]   (default: a temporary one; use the disk that matters)
#include <malloc.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <caf/scoped_actor.hpp>

#include "actors/store/log/log_backend.hpp"
#include "actors/store/memory_backend.hpp"
#include "actors/store/store.hpp"
#include "messages/type_ids.hpp"
#include "runtime/component.hpp"

namespace {

using namespace troupe;
using namespace troupe::store;
using steady = std::chrono::steady_clock;

double seconds_since(steady::time_point begun) { return std::chrono::duration<double>(steady::now() - begun).count(); }

double cpu_seconds() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/// CPU time of this thread: other processes do not disturb it.
double thread_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

long resident_kib() {
  std::ifstream in("/proc/self/statm");
  long total = 0;
  long resident = 0;
  in >> total >> resident;
  return resident * 4;
}

std::string key_of(std::uint64_t i) {
  char text[64];
  std::snprintf(text, sizeof text, "/registry/pods/namespace-%02d/pod-%08llu", static_cast<int>(i % 100),
                static_cast<unsigned long long>(i));
  return text;
}

struct measured {
  std::uint64_t done = 0;
  double seconds = 0;
  double cpu = 0;
  std::vector<double> latencies_us;
};

/// The driver's handlers: every reply sends that client's next put.
using driver_actor = caf::typed_actor<caf::reacts_to<txn_reply>>;
class driver final : public runtime::component<driver_actor> {
 public:
  driver(caf::actor_config& settings, store_actor target, std::size_t clients, std::uint64_t keys, double duration,
         measured& into)
      : component(settings, "driver"), target_(std::move(target)), keys_(keys), duration_(duration), into_(into) {
    begun_.resize(clients);
    value_ = shared_bytes(std::string(1024, 'v'));
  }
  behavior_type make_behavior() override {
    start_ = steady::now();
    cpu_ = cpu_seconds();
    for (std::uint64_t i = 0; i < begun_.size(); ++i) put(i);
    return {[this](const txn_reply& m) { on_reply(m); }};
  }

 private:
  void put(std::uint64_t client) {
    txn t;
    t.id = client;
    t.ops.push_back({op_kind::put, key_of(next_++ % keys_), value_, 0});
    begun_[client] = steady::now();
    ++in_flight_;
    send_to(target_, std::move(t));
  }
  void on_reply(const txn_reply& m) {
    if (!m.succeeded) throw std::runtime_error(m.error.message);
    into_.latencies_us.push_back(seconds_since(begun_[m.id]) * 1e6);
    ++into_.done;
    --in_flight_;
    if (seconds_since(start_) < duration_) return put(m.id);
    if (in_flight_ > 0) return;
    into_.seconds = seconds_since(start_);
    into_.cpu = cpu_seconds() - cpu_;
    quit();
  }

  store_actor target_;
  std::vector<steady::time_point> begun_;
  shared_bytes value_;
  std::uint64_t keys_;
  std::uint64_t next_ = 0;
  std::size_t in_flight_ = 0;
  double duration_;
  double cpu_ = 0;
  measured& into_;
  steady::time_point start_;
};

void durable_puts(const std::string& directory, std::size_t clients, std::uint64_t keys) {
  std::filesystem::remove_all(directory + "/store");
  runtime::real_services outside;
  runtime::system_config config{outside, 2};
  caf::actor_system system{config};
  options how;
  how.data_dir = directory;
  auto target = spawn(system, how);
  measured m;
  caf::scoped_actor self{system};
  const auto by = self->spawn<driver, caf::monitored>(target, clients, keys, 3.0, m);  // lives while this names it
  self->receive([](const caf::down_msg&) {});
  std::sort(m.latencies_us.begin(), m.latencies_us.end());
  const auto at = [&](double share) {
    return m.latencies_us[static_cast<std::size_t>(share * static_cast<double>(m.latencies_us.size() - 1))];
  };
  std::printf(
      "puts 1 KiB, %3zu clients, %6llu keys: %7.0f/s  p50 %5.0f us  p99 %6.0f us  cpu %4.1f us/put  rss %ld KiB\n",
      clients, static_cast<unsigned long long>(keys), static_cast<double>(m.done) / m.seconds, at(0.5), at(0.99),
      m.cpu / static_cast<double>(m.done) * 1e6, resident_kib());
  self->monitor(target);
  self->send_exit(target, caf::exit_reason::user_shutdown);
  self->receive([](const caf::down_msg&) {});
}

/// The core alone: a compare-and-put on an index of `keys` keys, and its becoming durable in batches of 32.
void core_cost(std::uint64_t keys) {
  core::settings settings;
  settings.compact_interval_ms = 0;
  settings.retain_revisions = 0;
  core::state state{settings};
  const shared_bytes value(std::string(1024, 'v'));
  const auto watcher = core::step(state, core::watch_requested{2, {1, "/registry/pods/", "/registry/pods0", 0}});
  std::vector<std::uint64_t> mods(keys);
  double plan = 0;
  double settle = 0;
  std::uint64_t done = 0;
  std::uint32_t offset = 0;
  for (std::uint64_t i = 0; i < keys + 300'000;) {
    core::batch_durable batch;
    batch.disk = {1, 1, 1};
    std::vector<core::txn_requested> requests;
    for (int j = 0; j < 32; ++j, ++i) {
      const auto k = i < keys ? i : (i * 7919) % keys;
      core::txn_requested e{1, {}};
      e.request.compares.push_back({key_of(k), mods[k]});
      e.request.ops.push_back({op_kind::put, key_of(k), value, 0});
      requests.push_back(std::move(e));
      mods[k] = i + 2;
      batch.locations.push_back({1, ++offset, 1100});
    }
    batch.appends = requests.size();
    const double begun = thread_seconds();
    for (auto& e : requests) core::step(state, std::move(e));
    const double planned = thread_seconds();
    core::step(state, std::move(batch));
    if (i > keys) {
      plan += planned - begun;
      settle += thread_seconds() - planned;
      done += 32;
    }
  }
  std::printf("core, %llu keys: %.2f us to plan a txn, %.2f us to settle it with one watcher\n",
              static_cast<unsigned long long>(keys), plan / static_cast<double>(done) * 1e6,
              settle / static_cast<double>(done) * 1e6);
}

/// Opening a log of `keys` objects of `size` bytes.
void opening(const std::string& directory, std::uint64_t keys, std::size_t size) {
  std::filesystem::remove_all(directory + "/store");
  log::log_options files;
  files.directory = directory + "/store";
  const shared_bytes value(std::string(size, 'v'));
  {
    log::log_backend disk(files);
    auto opened = disk.open([](const record&, location) {});
    for (std::uint64_t i = 0; i < keys;) {
      core::append batch;
      for (int j = 0; j < 500; ++j, ++i) {
        record r;
        r.revision = r.create_revision = i + 2;
        r.version = 1;
        r.key = key_of(i);
        r.value = value;
        batch.records.push_back(std::move(r));
      }
      disk.commit({batch});
    }
  }
  ::malloc_trim(0);
  const long before = resident_kib();
  const auto begun = steady::now();
  const double cpu_begun = thread_seconds();
  log::log_backend disk(files);
  core::state state{core::settings{}};
  auto opened = disk.open([&](record r, location at) { core::recover(state, std::move(r), at); });
  core::finish_recovery(state, *opened, 0);
  const double seconds = seconds_since(begun);
  const double cpu = thread_seconds() - cpu_begun;
  ::malloc_trim(0);
  const auto reading = steady::now();
  std::uint64_t bytes = 0, reads = 0;
  for (std::uint64_t i = 0; i < keys; i += 10, ++reads) {
    const auto* v = state.index.find(key_of(i))->second.current();
    bytes += disk.read({v->at, v->mod})->size();
  }
  std::printf("open %llu objects of %zu bytes: %.0f ms (cpu %.0f ms), %.1f us a read, %ld KiB resident\n",
              static_cast<unsigned long long>(keys), size, seconds * 1e3, cpu * 1e3,
              seconds_since(reading) / static_cast<double>(reads) * 1e6, resident_kib() - before);
}

}  // namespace

int main(int argc, char** argv) {
  std::string directory =
      argc > 1 ? argv[1]
               : (std::filesystem::temp_directory_path() / ("store-bench-" + std::to_string(::getpid()))).string();
  std::filesystem::create_directories(directory);
  core_cost(5'000);
  core_cost(100'000);
  for (std::size_t clients : {1, 8, 32, 128}) durable_puts(directory, clients, 5'000);
  opening(directory, 100'000, 1'024);
  opening(directory, 100'000, 4'096);
  if (argc == 1) std::filesystem::remove_all(directory);
  return 0;
}
