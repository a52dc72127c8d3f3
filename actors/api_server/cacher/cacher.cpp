// Handlers of the cacher actor.
#include "actors/api_server/cacher/cacher.hpp"

#include <algorithm>

#include "actors/api_server/pipeline/requeue.hpp"
#include "actors/api_server/registry/keys.hpp"
#include "runtime/trace/recorder.hpp"

namespace troupe::api {

namespace {
constexpr std::uint64_t page_size = 1000;
constexpr std::uint64_t tick_token = 1;
constexpr std::uint64_t retry_token = 2;
}  // namespace

cacher_shell::cacher_shell(caf::actor_config& settings, cacher_options options)
    : component(settings, options.name), options_(std::move(options)), core_(options_.resource) {
  set_down_handler([this](caf::scheduled_actor*, caf::down_msg& down) { on_down(down.source); });
}

cacher_shell::behavior_type cacher_shell::make_behavior() {
  options_.store.observe(*this, [this](const supervision::ref_changed& change) { on_store(change); });
  list();
  return {[this](const cacher::open_watch& m) { on_open(m); },
          [this](const cacher::close_watch& m) { on_close(m); },
          [this](const cacher::wait_for& m) { on_wait(m); },
          [this](const store::range_reply& m) { on_page(m); },
          [this](const store::watch_started& m) { on_started(m); },
          [this](const store::watch_events& m) { on_changes(m); },
          [this](const timer_due& m) {
            if (m.token == tick_token) return on_tick();
            if (!watching_) list();
          }};
}

bool cacher_shell::cleanup(caf::error&& why, caf::execution_unit* where) {
  slot().watched.store(false);
  // Clients resume elsewhere; what was not handled yet goes to the next incarnation.
  send_all(core_.close_all({}));
  requeue_unhandled(*this, options_.self.any());
  for (auto& m : early_) send_to(options_.self.handle(), m);
  return component::cleanup(std::move(why), where);
}

void cacher_shell::on_store(const supervision::ref_changed& change) {
  if (!change.up) return slot().watched.store(false);
  bool same = store_incarnation_ == 0 || store_incarnation_ == change.incarnation;
  store_incarnation_ = change.incarnation;
  if (same) return;
  core_.synced() ? watch_store() : list();
}

void cacher_shell::list() {
  ++round_;
  watching_ = false;
  slot().watched.store(false);
  listed_.clear();
  list_revision_ = 0;
  list_page(std::string(storage_prefix(options_.resource)));
}

void cacher_shell::list_page(std::string from) {
  store::range page;
  page.id = round_;
  page.range_end = prefix_end(storage_prefix(options_.resource));
  page.key = std::move(from);
  page.revision = list_revision_;
  page.limit = page_size;
  send_to(options_.store.handle(), std::move(page));
}

void cacher_shell::on_page(const store::range_reply& page) {
  if (page.id != round_ || watching_) return;
  if (!page.error.ok()) {  // compacted while listing, or the store is in trouble: start over
    log(runtime::log_level::warn, "cacher.list_failed", page.error.message);
    ++round_;
    start_timer(std::chrono::milliseconds(100), retry_token);
    return;
  }
  if (list_revision_ == 0) list_revision_ = page.revision;
  for (const auto& kv : page.kvs) {
    auto made = make_object(options_.resource, kv.value.view(), kv.mod_revision, kv.create_revision);
    if (made)
      listed_.push_back(std::move(*made));
    else
      log(runtime::log_level::error, "cacher.unreadable", "key=" + kv.key + " " + made.error().message);
  }
  if (page.more && !page.kvs.empty()) return list_page(page.kvs.back().key + '\0');
  send_all(core_.reset(listed_, list_revision_));
  listed_.clear();
  watch_store();
}

void cacher_shell::watch_store() {
  ++round_;
  watching_ = true;
  slot().watched.store(false);
  store::watch order;
  order.id = round_;
  order.key = storage_prefix(options_.resource);
  order.range_end = prefix_end(order.key);
  order.start_revision = core_.revision() + 1;
  send_to(options_.store.handle(), std::move(order));
}

void cacher_shell::on_started(const store::watch_started& started) {
  if (started.id != round_ || !watching_) return;
  if (!started.error.ok()) return list();
  // The snapshot first: the new progress tells only of changes after the list, which the snapshot before may lack.
  slot().current.store(core_.publish());
  if (started.shared) slot().progress.store(started.shared);
  slot().watched.store(true);
  slot().synced.store(true);
  answer_waiters();
  auto early = std::move(early_);
  early_.clear();
  for (auto& m : early) on_open(m);
}

void cacher_shell::on_changes(const store::watch_events& changes) {
  if (changes.id != round_ || !watching_) return;
  auto bad = core_.unreadable();
  auto begun_us = recorder() ? steady_now_us() : 0;
  auto out = core_.apply(changes);
  // Readers first: whoever hears of an event finds it in the snapshot.
  publish();
  auto published_us = recorder() ? steady_now_us() : 0;
  send_all(std::move(out));
  if (recorder()) record(changes, begun_us, published_us);
  if (core_.unreadable() != bad) log(runtime::log_level::error, "cacher.unreadable", "an event's value is no object");
}

/// One hop for each change, all handed over as one piece.
void cacher_shell::record(const store::watch_events& changes, std::uint64_t begun_us, std::uint64_t published_us) {
  auto sent_us = steady_now_us();
  auto prefix = storage_prefix(options_.resource).size();
  std::string frames;
  for (const auto& change : changes.events) {
    trace::hop made;
    made.component = path();
    made.time_us = begun_us;
    made.what = "publish";
    made.subject = change.current.key.substr(std::min(prefix, change.current.key.size()));
    made.revision = change.current.mod_revision;
    made.causes.push_back({"revision", {}, made.revision});
    made.marks = {{"published", published_us}, {"sent", sent_us}};
    frames += trace::pack_hop(made);
  }
  recorder()->add(std::move(frames), {});
}

void cacher_shell::publish() {
  slot().current.store(core_.publish());
  answer_waiters();
}

void cacher_shell::answer_waiters() {
  if (waiters_.empty()) return;
  auto first = std::partition(waiters_.begin(), waiters_.end(),
                              [&](const waiter& w) { return w.wanted.revision > core_.revision(); });
  for (auto w = first; w != waiters_.end(); ++w) send_to(w->who, cacher::reached{w->wanted.id, core_.revision()});
  waiters_.erase(first, waiters_.end());
}

void cacher_shell::on_wait(const cacher::wait_for& wanted) {
  auto who = current_sender();
  // What has been listed is published when the watch has begun.
  if (slot().watched.load() && core_.revision() >= wanted.revision) {
    send_to(who, cacher::reached{wanted.id, core_.revision()});
    return;
  }
  waiters_.push_back({who, wanted});
}

void cacher_shell::on_open(const cacher::open_watch& wanted) {
  if (!core_.synced() || !slot().synced.load()) {
    early_.push_back(wanted);
    return;
  }
  watch_spec spec;
  spec.id = wanted.watch_id;
  spec.recipient = recipient_number(wanted.recipient);
  spec.filter = wanted.filter;
  spec.start = wanted.start;
  spec.revision = wanted.revision;
  spec.bookmarks = wanted.bookmarks;
  spec.mark_initial_end = wanted.mark_initial_end;
  spec.ends_at_ms = now_ms() + static_cast<std::uint64_t>(std::max<std::int64_t>(wanted.timeout_ms, 0));
  send_all(core_.open(std::move(spec), now_ms()));
  arm_timer();
}

void cacher_shell::on_close(const cacher::close_watch& wanted) {
  std::erase_if(early_, [&](const cacher::open_watch& m) { return m.watch_id == wanted.watch_id; });
  core_.close(wanted.watch_id);
}

std::uint64_t cacher_shell::recipient_number(const api::client_actor& who) {
  auto id = caf::actor_cast<caf::strong_actor_ptr>(who)->id();
  auto& number = numbers_[id];
  if (number == 0) {
    number = next_recipient_++;
    recipients_[number] = who;
    monitor(who);
  }
  return number;
}

void cacher_shell::on_down(const caf::actor_addr& gone) {
  auto found = numbers_.find(gone.id());
  if (found == numbers_.end()) return;
  core_.forget(found->second);
  recipients_.erase(found->second);
  numbers_.erase(found);
}

void cacher_shell::send_all(deliveries what) {
  for (auto& [recipient, delivery] : what) {
    auto found = recipients_.find(recipient);
    if (found != recipients_.end()) send_to(found->second, std::move(delivery));
  }
}

void cacher_shell::on_tick() {
  timer_at_ms_ = 0;
  send_all(core_.tick(now_ms(), progress_revision()));
  arm_timer();
}

void cacher_shell::arm_timer() {
  auto next = core_.next_tick();
  if (next == 0 || (timer_at_ms_ != 0 && timer_at_ms_ <= next)) return;
  timer_at_ms_ = next;
  auto now = now_ms();
  // Half a second of slack lets timers of many watches fall together.
  start_timer(std::chrono::milliseconds(next > now ? next - now + 500 : 500), tick_token);
}

std::uint64_t cacher_shell::progress_revision() const {
  auto point = options_.slots->now(options_.resource);
  return core_.revision() >= point.needed ? point.as_of : core_.revision();
}

}  // namespace troupe::api
