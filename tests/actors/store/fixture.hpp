// What the store's actor tests share: an actor system, a temporary directory and a client that asks and waits.
#pragma once

#include <unistd.h>

#include <chrono>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include "actors/store/store.hpp"
#include "messages/type_ids.hpp"
#include "runtime/services.hpp"
#include "runtime/system_config.hpp"

namespace troupe::store::testing {

/// A directory of its own, gone at the end.
struct directory {
  directory() {
    std::string name = (std::filesystem::temp_directory_path() / "troupe-store-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~directory() { std::filesystem::remove_all(path); }
  std::string path;
};

/// The real thing: threads, clock, files.
struct real_system {
  runtime::real_services outside;
  runtime::system_config config{outside, 2};
  caf::actor_system system{config};
};

inline op put_op(std::string key, std::string value) {
  return {op_kind::put, std::move(key), shared_bytes(std::move(value)), 0};
}

/// Sends requests and collects what comes back. Any wait that lasts a minute fails the test.
class client {
 public:
  client(caf::actor_system& system, store_actor target) : self_(system), target_(std::move(target)) {}

  template <class Request>
  std::uint64_t send(Request request) {
    request.id = ++last_id_;
    self_->send(caf::actor_cast<caf::actor>(target_), std::move(request));
    return last_id_;
  }
  void cancel(std::uint64_t id) { self_->send(caf::actor_cast<caf::actor>(target_), watch_cancel{id}); }
  /// Handles messages until `ready` says so.
  template <class Ready>
  void until(Ready ready) {
    while (!ready()) {
      bool late = false;
      self_->receive([this](txn_reply& m) { txns[m.id] = std::move(m); },
                     [this](range_reply& m) { ranges[m.id] = std::move(m); }, [this](ack& m) { acks[m.id] = m; },
                     [this](watch_started& m) { started[m.id] = std::move(m); },
                     [this](watch_events& m) { take_events(m); }, [this](caf::down_msg&) { ++downs; },
                     caf::after(std::chrono::minutes(1)) >> [&] { late = true; });
      if (late) throw std::runtime_error("the store did not answer within a minute");
    }
  }
  txn_reply write(std::vector<compare> compares, std::vector<op> ops) {
    txn request;
    request.compares = std::move(compares);
    request.ops = std::move(ops);
    const auto id = send(std::move(request));
    until([&] { return txns.count(id) > 0; });
    return txns.at(id);
  }
  txn_reply put(std::string key, std::string value) { return write({}, {put_op(std::move(key), std::move(value))}); }
  range_reply get(std::string key, std::string end = {}) {
    range request;
    request.key = std::move(key);
    request.range_end = std::move(end);
    const auto id = send(std::move(request));
    until([&] { return ranges.count(id) > 0; });
    return ranges.at(id);
  }
  watch_started follow(std::string key, std::string end, std::uint64_t from = 0) {
    watch request;
    request.key = std::move(key);
    request.range_end = std::move(end);
    request.start_revision = from;
    const auto id = send(std::move(request));
    until([&] { return started.count(id) > 0; });
    return started.at(id);
  }
  caf::scoped_actor& self() { return self_; }

  std::map<std::uint64_t, txn_reply> txns;
  std::map<std::uint64_t, range_reply> ranges;
  std::map<std::uint64_t, ack> acks;
  std::map<std::uint64_t, watch_started> started;
  std::map<std::uint64_t, std::vector<event>> events;
  std::map<std::uint64_t, std::uint64_t> seen;  // watch -> revision up to which it has been told
  int downs = 0;

 private:
  void take_events(watch_events& m) {
    seen[m.id] = m.revision;
    for (auto& e : m.events) events[m.id].push_back(std::move(e));
  }
  caf::scoped_actor self_;
  store_actor target_;
  std::uint64_t last_id_ = 0;
};

}  // namespace troupe::store::testing
