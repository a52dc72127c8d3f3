// What a controller's core and the shared controller shell say to each other. A controller is a core: it looks at its
// cache and says what to write; informers, queue, backoff, retries and events are the shell's (runtime/controller.hpp).
//
// One turn: the shell hears of a change -> observe() names the keys concerned -> the key waits in the queue ->
// reconcile() decides -> the shell writes -> written() for each answer -> the key is free again, once the caches have
// seen what was written (so that no decision is made twice on an old view).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "messages/api_server.hpp"
#include "messages/object.hpp"
#include "messages/object_reference.hpp"
#include "messages/redaction.hpp"
#include "messages/status.hpp"

namespace troupe::controller {

/// One resource a controller watches; its index in core::sources() is its number.
struct source {
  std::string collection = {};      // "/apis/apps/v1/replicasets"
  std::string label_selector = {};  // unencoded, may be empty
  std::string field_selector = {};
};

/// The newest known objects of every source, sorted by key ("NAMESPACE/NAME", or "NAME" in cluster scope).
class caches {
 public:
  using object_map = std::map<std::string, object_ptr, std::less<>>;
  virtual ~caches() = default;
  virtual const object_map& all(std::size_t source) const = 0;

  /// The object of that key, or null.
  object_ptr find(std::size_t source, std::string_view key) const {
    const auto& map = all(source);
    auto found = map.find(key);
    return found == map.end() ? nullptr : found->second;
  }
};

// Events.

/// An object was added (before is null), changed, or deleted (now is null).
struct object_changed {
  std::uint32_t source = 0;
  std::string key = {};
  object_ptr before = {};
  object_ptr now = {};
  MSGPACK_DEFINE(source, key, before, now)
};
/// It is the key's turn.
struct key_due {
  std::string key = {};
  std::uint64_t now_ms = 0;  // wall clock
  MSGPACK_DEFINE(key, now_ms)
};
/// A write of the key was answered.
struct write_done {
  std::string key = {};
  std::uint64_t tag = 0;  // as in write
  status error = {};      // code 0: it was done
  std::uint64_t revision = 0;
  object_ptr object = {};  // as written, when it is known
  shared_bytes body;       // of a GET's answer, at most 64 KiB

  template <class Packer>
  void msgpack_pack(Packer& packer) const {
    packer.pack_array(6);
    packer.pack(key);
    packer.pack(tag);
    packer.pack(error);
    packer.pack(revision);
    packer.pack(object);
    packer.pack(shared_bytes(traceable_body({}, body.view())));  // a trace holds no secret
  }
  void msgpack_unpack(const msgpack::object& from) {
    if (from.type != msgpack::type::ARRAY || from.via.array.size != 6) throw msgpack::type_error();
    auto* field = from.via.array.ptr;
    field[0].convert(key);
    field[1].convert(tag);
    field[2].convert(error);
    field[3].convert(revision);
    field[4].convert(object);
    field[5].convert(body);
  }
};
using event = std::variant<object_changed, key_due, write_done>;

// Effects.

constexpr std::int32_t unseen = -1;

/// A request to the api_server on behalf of the key.
struct write {
  std::uint64_t tag = 0;      // comes back in write_done
  api::request request = {};  // id and user are the shell's
  /// Source whose cache must show the written revision before the key is looked at again, or `unseen`.
  std::int32_t seen_by = unseen;
  /// Errors of these reasons count as success (a deletion's not_found).
  std::vector<reason> tolerated = {};

  template <class Packer>
  void msgpack_pack(Packer& packer) const {
    packer.pack_array(6);
    packer.pack(tag);
    packer.pack(request.verb);
    packer.pack(request.target);
    packer.pack(traceable_body(request.target, request.body.view()));  // a trace holds no secret
    packer.pack(seen_by);
    packer.pack(tolerated);
  }
};
/// Look at a key after a delay (0: at once); it may be another key.
struct enqueue {
  std::string key = {};
  std::uint64_t after_ms = 0;
  MSGPACK_DEFINE(key, after_ms)
};
/// Record a Kubernetes Event about an object. Repeated ones are counted, not repeated.
struct note {
  object_ptr about = {};
  bool warning = false;
  std::string reason = {};  // "SuccessfulCreate"
  std::string message = {};
  MSGPACK_DEFINE(about, warning, reason, message)
};
/// The key could not be brought into its wanted state: it is tried again with backoff. Writes of the same turn are done
/// nevertheless.
struct failed {
  std::string message = {};
  MSGPACK_DEFINE(message)
};
using effect = std::variant<write, enqueue, note, failed>;

/// The decisions of one controller. Deterministic: what it returns depends on what it has been told only. Its own
/// indexes live in it and are kept by observe().
class core {
 public:
  virtual ~core() = default;
  /// "replicaset-controller": user agent, event source and name in the supervision tree.
  virtual std::string_view name() const = 0;
  virtual std::vector<source> sources() const = 0;
  /// What the core was made with, as msgpack: a trace records it, a replay makes a fresh core of it. No secrets.
  virtual std::string settings() const { return {}; }
  /// The cache shows the change already. Returns enqueue effects mostly.
  virtual std::vector<effect> observe(const object_changed& change, const caches& view) = 0;
  /// Writes of one turn are sent together, in this order, without waiting for each other.
  virtual std::vector<effect> reconcile(const key_due& due, const caches& view) = 0;
  /// Not called for an answer that never came (the key backs off then). `failed` and `enqueue` have effect.
  virtual std::vector<effect> written(const write_done&, const caches&) { return {}; }
};

/// One step of a controller: the seam that traces record and replays drive.
inline std::vector<effect> step(core& logic, const caches& view, const event& happened) {
  if (const auto* change = std::get_if<object_changed>(&happened)) return logic.observe(*change, view);
  if (const auto* due = std::get_if<key_due>(&happened)) return logic.reconcile(*due, view);
  return logic.written(std::get<write_done>(happened), view);
}

}  // namespace troupe::controller
