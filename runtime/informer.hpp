// A component's live copy of one resource: lists and watches in one stream (WatchList), resumes where it was, starts
// over on 410, and tells what changed.
//
//   informer pods_{session_, {.collection = "/api/v1/pods", .field_selector = "spec.nodeName="},
//                  {.added = [this](const object_ptr& pod) { ... }, .modified = ..., .deleted = ..., .synced = ...}};
//   pods_.start();
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "messages/object.hpp"
#include "runtime/api_session.hpp"

namespace troupe::runtime {

/// Key of an object in caches and work queues: "NAMESPACE/NAME", or "NAME" in cluster scope.
std::string object_key(const object& one);
std::string object_key(std::string_view namespace_name, std::string_view name);

struct informer_options {
  std::string collection = {};      // "/api/v1/pods", "/apis/apps/v1/namespaces/x/deployments"
  std::string label_selector = {};  // unencoded
  std::string field_selector = {};
  /// False: only keys, uids and revisions are kept, so `modified` and `deleted` get no old state beyond what the event
  /// carries.
  bool keep_objects = true;
  std::chrono::milliseconds retry_base{100};  // after errors; doubles, with jitter
  std::chrono::milliseconds retry_cap{30'000};
};

/// What the informer tells. All run in the component; any may be empty.
struct informer_handlers {
  std::function<void(const object_ptr& now)> added = {};
  /// `before` is null when objects are not kept. An object that was deleted and made again under the same name is
  /// reported as deleted and added.
  std::function<void(const object_ptr& before, const object_ptr& now)> modified = {};
  /// The last known state; null when objects are not kept and the deletion was noticed by a new list only.
  std::function<void(const std::string& key, const object_ptr& last)> deleted = {};
  /// Everything that existed has been reported, for the first time.
  std::function<void()> synced = {};
  /// revision() has advanced; called once a batch of events.
  std::function<void(std::uint64_t revision)> progressed = {};
};

/// See the top of this file. Lives in a component beside its session.
class informer {
 public:
  using object_map = std::map<std::string, object_ptr, std::less<>>;

  informer(api_session& session, informer_options options, informer_handlers handlers);
  ~informer();
  informer(const informer&) = delete;
  informer& operator=(const informer&) = delete;

  /// Opens the watch. Once.
  void start();
  /// Ends it; nothing is reported any more. What is kept stays readable.
  void stop();

  /// True once everything that existed at the start has been reported.
  bool synced() const { return synced_; }
  /// Everything up to this store revision has been reported.
  std::uint64_t revision() const { return revision_; }
  /// Sorted by key. Empty unless objects are kept.
  const object_map& objects() const { return objects_; }
  /// The object of that key, or null.
  object_ptr find(std::string_view key) const;
  object_ptr find(std::string_view namespace_name, std::string_view name) const;
  /// How often it listed everything, the first time included; for tests and metrics.
  std::uint64_t lists() const { return lists_; }

 private:
  struct kept_identity {
    std::string uid;
    std::uint64_t revision = 0;
  };
  void open();
  void on_events(const std::vector<api::watch_event>& events);
  void on_event(const api::watch_event& event);
  void upsert(const object_ptr& now);
  void upsert_kept(const object_ptr& now);
  void upsert_identity(const object_ptr& now);
  bool forget(const std::string& key);
  void erase(const std::string& key, const object_ptr& last);
  void finish_list(std::uint64_t revision);
  void on_closed(const status& why);
  void retry_later();

  api_session& session_;
  informer_options options_;
  informer_handlers handlers_;
  // What is known, in one of two forms. Most events change an object that is known, so that those are found by hash:
  // `places_` has an entry, named by the map's own key, for each of `objects_`.
  object_map objects_;
  std::unordered_map<std::string_view, object_map::iterator> places_;
  std::map<std::string, kept_identity, std::less<>> identities_;  // where objects are not kept
  std::string key_;                                               // of the event in hand
  std::set<std::string, std::less<>> seen_;                       // during a list: keys reported so far
  bool started_ = false;
  bool must_list_ = true;  // the next watch starts with everything there is
  bool listing_ = false;   // the current watch still reports what there was
  bool fruitful_ = false;  // the current watch has delivered something
  bool synced_ = false;
  std::uint64_t revision_ = 0;
  std::uint64_t lists_ = 0;
  std::uint32_t failures_ = 0;
  api_session::handle_id watch_ = 0;
  std::uint64_t generation_ = 0;  // of the watch; what belongs to an earlier one is ignored
  std::shared_ptr<bool> alive_;
};

}  // namespace troupe::runtime
