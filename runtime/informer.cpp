// List and watch of one resource.
#include "runtime/informer.hpp"

#include <algorithm>
#include <utility>

namespace troupe::runtime {

std::string object_key(std::string_view namespace_name, std::string_view name) {
  std::string key;
  if (!namespace_name.empty()) key.append(namespace_name).append("/");
  return key.append(name);
}

std::string object_key(const object& one) { return object_key(one.namespace_name, one.name); }

informer::informer(api_session& session, informer_options options, informer_handlers handlers)
    : session_(session),
      options_(std::move(options)),
      handlers_(std::move(handlers)),
      alive_(std::make_shared<bool>(true)) {}

informer::~informer() = default;

void informer::start() {
  if (started_) return;
  started_ = true;
  open();
}

void informer::stop() {
  if (!started_) return;
  started_ = false;
  ++generation_;
  if (watch_ != 0) session_.stop_watch(watch_);
  watch_ = 0;
}

object_ptr informer::find(std::string_view key) const {
  auto found = places_.find(key);
  return found == places_.end() ? nullptr : found->second->second;
}

object_ptr informer::find(std::string_view namespace_name, std::string_view name) const {
  return find(object_key(namespace_name, name));
}

void informer::open() {
  auto generation = ++generation_;
  fruitful_ = false;
  listing_ = must_list_;
  if (listing_) {
    seen_.clear();
    ++lists_;
  }
  auto current = [this, generation, alive = std::weak_ptr<bool>(alive_)] {
    return !alive.expired() && generation == generation_;
  };
  watch_handlers handlers;
  handlers.events = [this, current](const std::vector<api::watch_event>& events) {
    if (current()) on_events(events);
  };
  handlers.closed = [this, current](const status& why) {
    if (current()) on_closed(why);
  };
  auto target =
      listing_ ? initial_watch_target(options_.collection, options_.label_selector, options_.field_selector)
               : resume_watch_target(options_.collection, revision_, options_.label_selector, options_.field_selector);
  watch_ = session_.watch(std::move(target), std::move(handlers));
}

void informer::on_events(const std::vector<api::watch_event>& events) {
  auto generation = generation_;
  auto before = revision_;
  for (const auto& event : events) {
    on_event(event);
    if (generation != generation_) return;  // stopped by a handler
  }
  fruitful_ = true;
  if (!listing_) failures_ = 0;
  if (revision_ != before && handlers_.progressed) handlers_.progressed(revision_);
}

void informer::on_event(const api::watch_event& event) {
  switch (event.type) {
    case api::event_type::added:
    case api::event_type::modified:
      if (event.object) upsert(event.object);
      break;
    case api::event_type::deleted:
      if (event.object) erase(object_key(*event.object), event.object);
      break;
    case api::event_type::bookmark:
      if (event.initial_events_end && listing_) finish_list(event.revision);
      break;
  }
  // During a list events come by key, not by revision: only its end says up to where.
  if (!listing_) revision_ = std::max(revision_, event.revision);
}

void informer::upsert(const object_ptr& now) {
  key_.clear();
  if (!now->namespace_name.empty()) key_.append(now->namespace_name).append("/");
  key_.append(now->name);
  if (listing_) seen_.insert(key_);
  options_.keep_objects ? upsert_kept(now) : upsert_identity(now);
}

void informer::upsert_kept(const object_ptr& now) {
  auto known = places_.find(key_);
  if (known == places_.end()) {
    auto at = objects_.emplace(key_, now).first;
    places_.emplace(at->first, at);
    if (handlers_.added) handlers_.added(now);
    return;
  }
  auto& kept = known->second->second;
  if (kept->uid != now->uid) {
    erase(std::string(key_), object_ptr(kept));
    upsert(now);
    return;
  }
  if (kept->revision == now->revision) return;
  auto before = std::exchange(kept, now);
  if (handlers_.modified) handlers_.modified(before, now);
}

void informer::upsert_identity(const object_ptr& now) {
  auto known = identities_.find(key_);
  if (known == identities_.end()) {
    identities_.emplace(key_, kept_identity{std::string(now->uid), now->revision});
    if (handlers_.added) handlers_.added(now);
    return;
  }
  if (known->second.uid != now->uid) {
    erase(std::string(key_), nullptr);
    upsert(now);
    return;
  }
  if (known->second.revision == now->revision) return;
  known->second.revision = now->revision;
  if (handlers_.modified) handlers_.modified(nullptr, now);
}

/// False when it was not known.
bool informer::forget(const std::string& key) {
  if (!options_.keep_objects) return identities_.erase(key) > 0;
  auto known = places_.find(key);
  if (known == places_.end()) return false;
  auto at = known->second;
  places_.erase(known);
  objects_.erase(at);
  return true;
}

void informer::erase(const std::string& key, const object_ptr& last) {
  seen_.erase(key);
  if (forget(key) && handlers_.deleted) handlers_.deleted(key, last);
}

void informer::finish_list(std::uint64_t revision) {
  std::vector<std::string> gone;
  for (const auto& [key, identity] : identities_)
    if (seen_.count(key) == 0) gone.push_back(key);
  for (const auto& [key, kept] : objects_)
    if (seen_.count(key) == 0) gone.push_back(key);
  for (const auto& key : gone) erase(key, find(key));
  seen_.clear();
  listing_ = false;
  must_list_ = false;
  revision_ = revision;
  if (synced_) return;
  synced_ = true;
  if (handlers_.synced) handlers_.synced();
}

void informer::on_closed(const status& why) {
  watch_ = 0;
  bool ended_well = why.ok() && fruitful_;
  if (why.why == reason::gone || why.why == reason::expired) {
    if (must_list_) ++failures_;  // a fresh list cannot be too old: do not spin
    must_list_ = true;
    ended_well = failures_ == 0;
  }
  if (listing_) must_list_ = true;
  if (ended_well) {
    open();
    return;
  }
  session_.owner().log(log_level::debug, "informer.retry",
                       options_.collection + " failures=" + std::to_string(failures_) + " why=" + why.message);
  retry_later();
}

void informer::retry_later() {
  auto base = static_cast<std::uint64_t>(options_.retry_base.count()) << std::min(failures_, 20u);
  base = std::min(base, static_cast<std::uint64_t>(options_.retry_cap.count()));
  auto delay = base / 2 + session_.owner().random_u64() % (base / 2 + 1);
  ++failures_;
  session_.owner().after(std::chrono::milliseconds(delay),
                         [this, generation = generation_, alive = std::weak_ptr<bool>(alive_)] {
                           if (!alive.expired() && started_ && generation == generation_) open();
                         });
}

}  // namespace troupe::runtime
