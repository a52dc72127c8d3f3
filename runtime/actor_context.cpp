// Identity, timers and control messages of a component.
#include "runtime/actor_context.hpp"

#include <stdexcept>

#include <caf/actor_clock.hpp>
#include <caf/message_id.hpp>

#include "runtime/priority_scheduler.hpp"

namespace troupe::runtime {

namespace {

thread_local const spawn_scope* innermost = nullptr;

// Timers of helpers have the top bit of their token set.
constexpr std::uint64_t helper_bit = std::uint64_t{1} << 63;

std::string path_for(const std::string& name) {
  const auto* scope = spawn_scope::current();
  if (scope == nullptr) return name;
  const auto& parent = scope->path();
  auto slash = parent.rfind('/');
  auto last = slash == std::string::npos ? parent : parent.substr(slash + 1);
  return name.empty() || name == last ? parent : parent + "/" + name;
}

}  // namespace

spawn_scope::spawn_scope(std::string path, std::uint64_t incarnation, urgency level)
    : path_(std::move(path)), incarnation_(incarnation), level_(level), outer_(innermost) {
  innermost = this;
}

spawn_scope::~spawn_scope() { innermost = outer_; }

const spawn_scope* spawn_scope::current() { return innermost; }

actor_context::actor_context(caf::scheduled_actor& self, const std::string& name)
    : self_(self),
      config_(config_of(self.home_system())),
      counters_(std::make_shared<actor_counters>()),
      path_(path_for(name)) {
  if (const auto* scope = spawn_scope::current()) {
    incarnation_ = scope->incarnation();
    set_urgency(self_, scope->level());
  }
  path_ = config_.registry().add(path_, self.address(), counters_);
}

actor_context::~actor_context() { config_.registry().remove(path_, counters_.get()); }

void actor_context::leave() {
  config_.registry().remove(path_, counters_.get());
  helper_timers_.clear();
  ref_observers_.clear();
}

void actor_context::log(log_level level, std::string_view event, std::string_view text) const {
  std::string line = "actor=" + path_;
  if (!text.empty()) line.append(" ").append(text);
  outside().log(level, event, line);
}

void actor_context::start_timer(std::chrono::milliseconds delay, std::uint64_t token) {
  auto& clock = self_.home_system().clock();
  caf::strong_actor_ptr me{self_.ctrl()};
  auto message = caf::make_mailbox_element(me, caf::make_message_id(), {}, timer_due{token});
  clock.schedule_message(clock.now() + delay, std::move(me), std::move(message));
}

void actor_context::after(std::chrono::milliseconds delay, std::function<void()> run) {
  auto token = helper_bit | ++next_helper_timer_;
  helper_timers_.emplace(token, std::move(run));
  start_timer(delay, token);
}

void actor_context::post(std::function<void()> run) {
  auto token = helper_bit | ++next_helper_timer_;
  helper_timers_.emplace(token, std::move(run));
  caf::strong_actor_ptr me{self_.ctrl()};
  auto message = caf::make_mailbox_element(me, caf::make_message_id(), {}, timer_due{token});
  self_.enqueue(std::move(message), nullptr);
}

void actor_context::on_ref_changed(const std::string& name, std::function<void(const supervision::ref_changed&)> run) {
  ref_observers_.emplace(name, std::move(run));
}

bool actor_context::take_control(caf::mailbox_element& message) {
  auto& content = message.content();
  if (content.size() != 1) return false;
  if (content.match_elements<timer_due>()) return take_timer(content.get_as<timer_due>(0).token);
  if (content.match_elements<supervision::ref_changed>()) {
    deliver(content.get_as<supervision::ref_changed>(0));
    return true;
  }
  if (content.match_elements<supervision::crash>()) {
    const auto& order = content.get_as<supervision::crash>(0);
    if (order.path != path_) return false;
    obey(order);
    return true;
  }
  return false;
}

bool actor_context::take_timer(std::uint64_t token) {
  if ((token & helper_bit) == 0) {
    if (handles_timers_) return false;
    on_timer(token);
    return true;
  }
  auto found = helper_timers_.find(token);
  if (found == helper_timers_.end()) return true;
  auto run = std::move(found->second);
  helper_timers_.erase(found);
  run();
  return true;
}

void actor_context::on_timer(std::uint64_t) {}

void actor_context::deliver(const supervision::ref_changed& change) {
  auto [begin, end] = ref_observers_.equal_range(change.name);
  std::vector<std::function<void(const supervision::ref_changed&)>> interested;
  for (auto at = begin; at != end; ++at) interested.push_back(at->second);
  for (auto& run : interested) run(change);
}

void actor_context::obey(const supervision::crash& order) {
  if (!config_.allow_crash) {
    log(log_level::warn, "component.crash_refused", "debug.allow_crash is off");
    return;
  }
  crash_now(order.path);
}

void actor_context::crash_now(const std::string& path) { throw std::runtime_error("crash ordered: " + path); }

actor_context* context_of(const caf::strong_actor_ptr& actor) {
  return actor ? dynamic_cast<actor_context*>(actor->get()) : nullptr;
}

}  // namespace troupe::runtime
