// What the stages of a request may ask of the worker that runs them: the store, the cachers, identifiers, the user's
// rights.
#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>

#include "actors/api_server/access/access.hpp"
#include "actors/api_server/cacher/slots.hpp"
#include "actors/api_server/pipeline/task.hpp"
#include "messages/cacher.hpp"
#include "messages/store.hpp"

namespace troupe::api {

class request_host;

/// A call whose reply resumes the coroutine that awaits it. Lives in that coroutine's frame and must not move once
/// awaited.
class pending_call {
 public:
  enum class kind : std::uint8_t { transaction, read, control, freshness, startup };
  pending_call(request_host& host, kind what) : host_(&host), what_(what) {}
  virtual ~pending_call();
  pending_call(const pending_call&) = delete;
  pending_call& operator=(const pending_call&) = delete;

  bool await_ready() const { return ready_; }
  void await_suspend(std::coroutine_handle<> by);

  kind what() const { return what_; }
  std::coroutine_handle<> waiting() const { return waiting_; }
  std::uint64_t id = 0;
  std::uint64_t frame = 0;        // of the request that waits
  std::uint64_t deadline_ms = 0;  // steady clock

 protected:
  request_host* host_;
  kind what_;
  bool ready_ = false;
  std::coroutine_handle<> waiting_;
};

/// co_await gives store::txn_reply. The transaction is sent again after a restart of the store.
class transaction_call final : public pending_call {
 public:
  transaction_call(request_host& host, store::txn what)
      : pending_call(host, kind::transaction), order(std::move(what)) {}
  store::txn_reply await_resume() { return std::move(reply); }
  store::txn order;
  store::txn_reply reply;
  bool repeated = false;  // sent more than once: the first may have been carried out
};

/// co_await gives store::range_reply.
class read_call final : public pending_call {
 public:
  read_call(request_host& host, store::range what) : pending_call(host, kind::read), order(std::move(what)) {}
  store::range_reply await_resume() { return std::move(reply); }
  store::range order;
  store::range_reply reply;
};

/// co_await gives store::ack: of a compaction, a sync, or a question about a lease.
class control_call final : public pending_call {
 public:
  using order_type = std::variant<store::compact, store::sync, store::lease>;
  control_call(request_host& host, order_type what) : pending_call(host, kind::control), order(what) {}
  store::ack await_resume() { return std::move(reply); }
  order_type order;
  store::ack reply;
};

/// co_await gives the status: ok once the resource's snapshot has the revision, 504 when it took too long. With
/// `settles` the revision is found out first: that of the store at the time of the call, whoever writes to it. With
/// `as_of` the revision rises to that of the resource's newest change up to there, once that is known.
class freshness_call final : public pending_call {
 public:
  freshness_call(request_host& host, std::uint16_t resource, std::uint64_t revision, bool settles = false,
                 std::uint64_t as_of = 0);
  /// Whether the snapshot has the revision.
  bool reached();
  status await_resume() { return std::move(outcome); }
  std::uint16_t resource;
  std::uint64_t revision;
  bool settles;         // the store has not told yet where it stands
  std::uint64_t as_of;  // where it stood; 0: nothing is to be found out
  status outcome;
};

/// co_await ends once the api_server has started: everything synced, bootstrap objects there. Gives 503 after a time.
class startup_call final : public pending_call {
 public:
  explicit startup_call(request_host& host);
  status await_resume() { return std::move(outcome); }
  status outcome;
};

/// Implemented by the worker; a test may implement it over a store of its own.
class request_host {
 public:
  virtual ~request_host() = default;

  // -- the world
  virtual object_slots& slots() = 0;
  virtual authorizer& judge() = 0;
  virtual std::uint64_t steady_ms() = 0;
  virtual std::string new_uid() = 0;
  /// See shared_state.
  virtual std::int64_t toleration_seconds() const { return 300; }
  virtual std::uint64_t random() = 0;
  /// A lease that ends at least `ttl_seconds` from now, shared with other objects; 0 when there is none yet and none is
  /// to be waited for.
  virtual std::int64_t shared_lease(std::int64_t ttl_seconds) = 0;
  /// Starts a watch at the resource's cacher.
  virtual void open_watch(std::uint16_t resource, cacher::open_watch order) = 0;
  /// An id for a watch of the resource, unique in the process.
  virtual std::uint64_t new_watch_id(std::uint16_t resource) = 0;

  /// Hands a request for a pod's log or a stream to the pod's node, which then answers it. False when the node is out
  /// of reach.
  virtual bool delegate(request_context& context, const object_ptr& pod, const std::string& container) = 0;
  /// The request has got so far; for traces.
  virtual void mark(const char*) {}
  /// Whether the api_server has started.
  virtual bool started() const = 0;

  // -- awaitables; bind them to locals
  transaction_call transact(store::txn order) { return transaction_call(*this, std::move(order)); }
  read_call read(store::range order) { return read_call(*this, std::move(order)); }
  control_call control(control_call::order_type order) { return control_call(*this, order); }
  /// The resource's snapshot as of now: everything acknowledged before the call is in it, also what other api_servers
  /// acknowledged.
  freshness_call fresh(std::uint16_t resource) {
    return {*this, resource, slots().now(resource).needed, slots().shared_store};
  }
  /// Everything up to this revision of the store, as a `sync` told it.
  freshness_call settled(std::uint16_t resource, std::uint64_t revision) {
    return {*this, resource, 0, false, revision};
  }
  freshness_call at_least(std::uint16_t resource, std::uint64_t revision) { return {*this, resource, revision}; }

  startup_call startup() { return startup_call(*this); }

  /// Sends the call's order; its reply will resume the coroutine.
  virtual void begin(pending_call& call) = 0;
  /// The call's frame is being destroyed before its reply came.
  virtual void forget(pending_call& call) = 0;
};

}  // namespace troupe::api
