// A gateway over real TLS on loopback in front of a scripted api_server.
#pragma once

#include <atomic>
#include <chrono>
#include <ctime>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "actors/api_server/gateway/gateway.hpp"
#include "messages/type_ids.hpp"
#include "runtime/pki.hpp"
#include "runtime/system_config.hpp"
#include "tests/bench/client/client.hpp"

namespace troupe::gateway::testing {

/// What the scripted api_server has seen; shared with the test.
struct seen_by_api {
  std::mutex mutex;
  std::vector<api::request> requests;
  std::atomic<std::uint64_t> unanswered{0};  // requests for /never
  std::atomic<std::uint64_t> watches{0};
  std::atomic<std::uint64_t> stops{0};

  api::request last() {
    std::lock_guard guard(mutex);
    return requests.back();
  }
};

/// Answers by target:
///   /size/N       N bytes of JSON text in pieces of 1,000
///   /code/N       a Status-like body with that code
///   /never        no answer
///   .../pods?watch=...  a watch; POST /publish/COUNT/SIZE sends COUNT events to all, POST /end/CODE ends all
///   .../log?watch=...   a raw watch: POST /publish/COUNT/SIZE sends COUNT times SIZE letters
///   anything else {}
/// A handle to crash it is its path "api".
class scripted_api final : public runtime::component<api::api_server_actor> {
 public:
  scripted_api(caf::actor_config& settings, std::shared_ptr<seen_by_api> seen)
      : component(settings, "api"), seen_(std::move(seen)) {}

  behavior_type make_behavior() override {
    return {[this](const api::request& call) { on_request(call); },
            [this](const api::watch_stop& stop) {
              watchers_.erase(stop.watch_id);
              ++seen_->stops;
            }};
  }

 private:
  using client = api::client_actor;

  static std::uint64_t number(const std::string& target, std::size_t part) {
    std::size_t at = 0;
    for (; part > 0; --part) at = target.find('/', at + 1);
    return std::stoull(target.substr(at + 1));
  }

  void on_request(const api::request& call) {
    {
      std::lock_guard guard(seen_->mutex);
      seen_->requests.push_back(call);
    }
    const auto& target = call.target;
    api::response answer;
    answer.id = call.id;
    if (target == "/never") {
      ++seen_->unanswered;
      return;
    }
    if (target.starts_with("/size/")) {
      for (auto left = number(target, 1); left > 0;) {
        auto size = std::min<std::uint64_t>(left, 1000);
        answer.body.emplace_back(shared_bytes(std::string(size, 'j')));
        left -= size;
      }
    } else if (target.starts_with("/code/")) {
      answer.code = static_cast<std::uint16_t>(number(target, 1));
      answer.headers.emplace_back("X-Test", "yes");
      if (answer.code != 204) answer.body.emplace_back(shared_bytes(std::string("{\"code\":1}")));
    } else if (target.find("watch=") != std::string::npos) {
      answer.watch_id = ++next_watch_;
      if (target.find("table") != std::string::npos) answer.format = api::watch_format::table;
      if (target.find("/log") != std::string::npos) {
        answer.format = api::watch_format::raw;
        answer.content_type = "text/plain";
      }
      raw_ = answer.format == api::watch_format::raw;
      watchers_[answer.watch_id] = caf::actor_cast<client>(current_sender());
      ++seen_->watches;
    } else {
      if (target.starts_with("/publish/")) publish(number(target, 1), number(target, 2));
      if (target.starts_with("/end/")) end(static_cast<std::uint16_t>(number(target, 1)));
      answer.body.emplace_back(shared_bytes(std::string("{}")));
    }
    send(caf::actor_cast<client>(current_sender()), std::move(answer));
  }

  void publish(std::uint64_t count, std::uint64_t size) {
    for (std::uint64_t i = 0; i < count; ++i) {
      if (raw_) {
        deliver([&](std::uint64_t id) {
          auto batch = batch_of(id, nullptr, {}, false);
          batch.raw = shared_bytes(std::string(size, 'l') + "\n");
          return batch;
        });
        continue;
      }
      auto made = std::make_shared<object>();
      made->json =
          shared_bytes("{\"n\":" + std::to_string(next_event_++) + ",\"x\":\"" + std::string(size, 'x') + "\"}");
      auto events = std::make_shared<std::vector<api::watch_event>>();
      events->push_back({api::event_type::added, made, next_event_, false});
      deliver([&](std::uint64_t id) { return batch_of(id, events, {}, false); });
    }
  }

  void end(std::uint16_t code) {
    status error;
    if (code == 410) error = make_status(reason::expired, "too old resource version");
    deliver([&](std::uint64_t id) { return batch_of(id, nullptr, error, true); });
    watchers_.clear();
  }

  static api::watch_batch batch_of(std::uint64_t id, std::shared_ptr<const std::vector<api::watch_event>> events,
                                   status error, bool closed) {
    api::watch_batch made;
    made.watch_id = id;
    made.events = std::move(events);
    made.error = std::move(error);
    made.closed = closed;
    return made;
  }

  /// One message for each recipient, as the real one does.
  template <class F>
  void deliver(F make) {
    std::map<client, api::watch_delivery> out;
    for (const auto& [id, who] : watchers_) out[who].batches.push_back(make(id));
    for (auto& [who, delivery] : out) send(who, std::move(delivery));
  }

  std::shared_ptr<seen_by_api> seen_;
  std::uint64_t next_watch_ = 0;
  std::uint64_t next_event_ = 0;
  bool raw_ = false;
  std::map<std::uint64_t, client> watchers_;
};

/// Polls until it holds; false after a time no healthy run needs.
template <class F>
bool eventually(F holds) {
  for (int i = 0; i < 20'000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

/// Certificates are made once for all tests.
struct certificates {
  pki::key_pair authority, other_authority, serving;
  static const certificates& get();
  bench::target target_for(const pki::subject* client, bool other = false) const;
};

/// A running gateway.
class fixture {
 public:
  explicit fixture(limits bounds = {}, std::size_t loops = 2, event_renderer renderer = {});
  ~fixture();

  /// The server, with a client certificate of that user (empty: none).
  bench::target target(const std::string& user = "jane", std::vector<std::string> groups = {"dev"});
  bench::target target_of(const pki::subject& client, bool other_authority = false);
  gateway_counters& counts() { return endpoint_->counts(); }
  /// Crashes the component of that path ("root/api", "root/gateway-0") and waits until its successor is up.
  void crash(const std::string& path);
  /// Stops everything in order; true when it ended in time.
  bool stop();

  std::shared_ptr<seen_by_api> seen = std::make_shared<seen_by_api>();

 private:
  runtime::real_services services_;
  runtime::system_config config_{services_, 2};
  std::unique_ptr<caf::actor_system> system_;
  std::shared_ptr<endpoint> endpoint_;
  runtime::local_supervisor root_;
  bool stopped_ = false;
};

}  // namespace troupe::gateway::testing
