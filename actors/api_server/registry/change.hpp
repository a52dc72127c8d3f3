// Changing a stored object under optimistic locking: decide on what is there, write if it is still there, else decide
// again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "actors/api_server/admission/strategy.hpp"
#include "actors/api_server/pipeline/host.hpp"
#include "messages/object.hpp"
#include "messages/status.hpp"

namespace troupe::api {

/// The cached objects as one request sees them; notes what it looked at, so that a refusal that rests on an old
/// snapshot is repeated on a new one.
class request_view final : public cluster_view {
 public:
  explicit request_view(const object_slots& slots) : slots_(slots) {}
  snapshot_ptr objects(std::uint16_t resource) const override;
  /// Resources looked at of which there is more by now, in the store or in a snapshot.
  std::vector<std::uint16_t> behind() const;
  /// Resources looked at.
  std::vector<std::uint16_t> resources() const;

 private:
  const object_slots& slots_;
  mutable std::vector<std::pair<std::uint16_t, std::uint64_t>> seen_;  // resource, revision of its snapshot
};

/// Which object.
struct object_place {
  std::uint16_t resource = 0;  // as stored
  std::string namespace_name;
  std::string name;
  std::string key() const;
};

/// What is to become of the object.
struct change_plan {
  enum class kind : std::uint8_t {
    write,  // put `stored`
    erase,
    none,  // leave it as it is
  };
  kind what = kind::none;
  std::string stored;              // canonical JSON without resourceVersion
  std::vector<side_write> writes;  // of the same transaction
  std::int64_t lease = 0;
};

/// Decides. `current` is null only where changes of absent objects are allowed. `taken` are keys of side writes that
/// another attempt found taken. Called again whenever the object changed meanwhile.
using change_decision = std::function<result<change_plan>(const object_ptr& current, const request_view& view,
                                                          const std::vector<std::string>& taken)>;

/// How a change behaves.
struct change_rules {
  bool allow_absent = false;       // decide is called with null instead of answering 404
  std::string_view group, plural;  // for 404 and 409
};

/// What became of it.
struct changed_object {
  object_ptr before;  // null: it was created
  object_ptr now;     // null: erased
  std::uint64_t revision = 0;
  bool written = false;
};

/// Runs decide and the store's compare-and-set until one holds. Errors are decide's (on an up-to-date view), 404, 409
/// after too many rounds, and the store's.
task<result<changed_object>> change_object(request_host& host, const object_place& where, const change_rules& rules,
                                           const change_decision& decide);

/// What became of an insertion: `now` on success, else `exists` or the keys of side writes that were taken, or an
/// error.
struct inserted_object {
  object_ptr now;
  bool exists = false;
  std::vector<std::string> taken;
  status error;
};

/// Writes a new object with its side writes, if its key and theirs are as expected. `plan` must outlive the task.
task<inserted_object> insert_object(request_host& host, const object_place& where, const change_plan& plan);

/// Waits until the snapshots that a decision rested on are up to date. True when that changed anything, so that
/// deciding again makes sense; the store's error when it cannot be told.
task<result<bool>> refresh(request_host& host, const request_view& view);

/// Error of a failed store call as clients see it.
status store_failure(const status& error);

}  // namespace troupe::api
