// What the tests of the link share: the ends of calls, watches and logs as a test sees them.
#pragma once

#include <doctest/doctest.h>

#include "tests/actors/link/fixture.hpp"

namespace troupe::link::testing {

/// A node's files, as the test replaces them.
class changing_proof {
 public:
  explicit changing_proof(std::string node) : node_(std::move(node)) { replace(node_certificate(node_)); }
  void replace(const pki::key_pair& with) {
    std::lock_guard guard(kept_->mutex);
    kept_->now = credentials_of(with);
    ++kept_->stamp;
  }
  dialing_node node(std::vector<std::uint16_t> ports, runtime::stable_ref<kubelet::kubelet_actor> kubelet = {}) {
    auto read = [kept = kept_]() -> result<credentials> {
      std::lock_guard guard(kept->mutex);
      return kept->now;
    };
    return {node_, std::move(ports), read, [kept = kept_] { return kept->stamp.load(); }, std::move(kubelet)};
  }

 private:
  struct state {
    std::mutex mutex;
    credentials now;
    std::atomic<std::uint64_t> stamp{0};
  };
  std::string node_;
  std::shared_ptr<state> kept_ = std::make_shared<state>();
};

/// Calls of a session, as the test sees their ends. Shared with the callbacks, which may outlive it.
class calls {
 public:
  std::size_t count() const {
    std::lock_guard guard(kept_->mutex);
    return kept_->answers.size();
  }
  api::response last() const {
    std::lock_guard guard(kept_->mutex);
    return kept_->answers.back();
  }
  std::function<void(const api::response&)> note() {
    return [kept = kept_](const api::response& answer) {
      std::lock_guard guard(kept->mutex);
      kept->answers.push_back(answer);
    };
  }

 private:
  struct state {
    std::mutex mutex;
    std::vector<api::response> answers;
  };
  std::shared_ptr<state> kept_ = std::make_shared<state>();
};

/// Events of a watch, as the test sees them. Shared likewise.
class watched {
  struct state {
    std::mutex mutex;
    std::vector<api::watch_event> events;
    status why;
    std::atomic<int> closed{0};
  };
  std::shared_ptr<state> kept_ = std::make_shared<state>();

 public:
  std::atomic<int>& closed = kept_->closed;
  std::vector<api::watch_event>& events = kept_->events;
  std::size_t count() const {
    std::lock_guard guard(kept_->mutex);
    return kept_->events.size();
  }
  /// How it ended last.
  status why() const {
    std::lock_guard guard(kept_->mutex);
    return kept_->why;
  }
  runtime::watch_handlers handlers() {
    runtime::watch_handlers out;
    out.events = [kept = kept_](const std::vector<api::watch_event>& more) {
      std::lock_guard guard(kept->mutex);
      kept->events.insert(kept->events.end(), more.begin(), more.end());
    };
    out.closed = [kept = kept_](const status& why) {
      std::lock_guard guard(kept->mutex);
      kept->why = why;
      ++kept->closed;
    };
    return out;
  }
};

/// A kubelet whose pods' logs are three chunks, given one by one; followed ones go on for ever.
class logging_kubelet final
    : public runtime::component<
          caf::typed_actor<caf::reacts_to<kubelet::read_pod_log>, caf::reacts_to<container::log_more>>> {
 public:
  logging_kubelet(caf::actor_config& settings, std::shared_ptr<std::atomic<int>> stops)
      : component(settings, "kubelet"), stops_(std::move(stops)) {}
  behavior_type make_behavior() override {
    return {[this](const kubelet::read_pod_log& m) {
              follow_ = m.follow;
              next_ = 1;
              give(m.id);
            },
            [this](const container::log_more& m) {
              if (m.stop)
                ++*stops_;
              else if (!follow_ || next_ == 2)
                give(m.id);
            }};
  }

 private:
  void give(std::uint64_t id) {
    container::log_chunk out;
    out.id = id;
    out.data = shared_bytes("line " + std::to_string(next_) + "\n");
    out.end = !follow_ && next_ == 3;
    ++next_;
    send_to(current_sender(), std::move(out));
  }
  std::shared_ptr<std::atomic<int>> stops_;
  bool follow_ = false;
  int next_ = 1;
};

/// Reads a log as the api_server's relay does.
struct reading {
  std::mutex mutex;
  std::string text;
  std::string error;
  std::atomic<bool> ended{false};
};
struct begin_reading {
  kubelet::kubelet_actor from;
  bool follow = false;
};
class log_reader final
    : public runtime::component<caf::typed_actor<caf::reacts_to<begin_reading>, caf::reacts_to<container::log_chunk>>> {
 public:
  log_reader(caf::actor_config& settings, std::shared_ptr<reading> what)
      : component(settings, "reader"), what_(std::move(what)) {}
  behavior_type make_behavior() override {
    return {[this](const begin_reading& m) {
              kubelet::read_pod_log order;
              order.id = 77;
              order.pod = "p";
              order.follow = m.follow;
              send_to(m.from, std::move(order));
            },
            [this](const container::log_chunk& m) {
              if (m.id != 77) return;
              std::lock_guard guard(what_->mutex);
              what_->text += m.data.view();
              what_->error = m.error.message;
              if (m.end)
                what_->ended = true;
              else
                send_to(current_sender(), container::log_more{77, false});
            }};
  }

 private:
  std::shared_ptr<reading> what_;
};

/// What is written while there is no link fails when there is one; so a test waits for it first.
inline void await_link(fixture& world, const caller_actor& by) {
  calls made;
  world.tell(by, [&](runtime::api_session& session) { session.call(runtime::get("/first"), made.note()); });
  REQUIRE(eventually([&] { return made.count() == 1; }));
}

}  // namespace troupe::link::testing

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::testing::begin_reading)
