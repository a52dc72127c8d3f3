// The shell that every controller shares.
#include "runtime/controller.hpp"

#include <algorithm>
#include <utility>

#include "runtime/trace/controller_replay.hpp"

namespace troupe::runtime {

namespace {

session_options session_for(const controller::core& logic, const controller_options& options) {
  session_options made;
  made.watch_user = component_user("system:" + options.manager);
  made.user = options.account.empty() ? made.watch_user : service_account_user("kube-system", options.account);
  made.user_agent = options.manager + "/" + std::string(logic.name());
  return made;
}

/// The store revision that the core hears of.
std::vector<trace::cause> causes_of(const controller::event& happened) {
  const auto* change = std::get_if<controller::object_changed>(&happened);
  if (change && change->now) return trace::caused_by(change->now->revision);
  const auto* done = std::get_if<controller::write_done>(&happened);
  return done && done->revision > 0 ? trace::caused_by(done->revision) : std::vector<trace::cause>();
}

}  // namespace

controller_actor spawn_controller(caf::actor_system& system, const stable_ref<api::api_server_actor>& server,
                                  const std::function<std::unique_ptr<controller::core>()>& make_core,
                                  controller_options options) {
  return system.spawn<controller_shell>(server, make_core(), std::move(options));
}

controller_shell::controller_shell(caf::actor_config& settings, stable_ref<api::api_server_actor> server,
                                   std::unique_ptr<controller::core> logic, controller_options options)
    : component(settings, std::string(logic->name())),
      logic_(std::move(logic)),
      options_(std::move(options)),
      session_(*this, std::move(server), session_for(*logic_, options_)),
      events_(session_, std::string(logic_->name())),
      queue_(options_.backoff),
      trace_(*this, trace::controller_core_name(logic_->name())) {
  trace_.begin_with_packed(logic_->settings());
}

controller_shell::behavior_type controller_shell::make_behavior() {
  watch_sources();
  return {[this](const api::response& answer) { session_.handle(answer); },
          [this](const api::watch_delivery& delivery) { session_.handle(delivery); }};
}

void controller_shell::watch_sources() {
  std::uint32_t number = 0;
  for (auto& source : logic_->sources()) {
    informer_handlers handlers;
    handlers.added = [this, number](const object_ptr& now) { changed(number, object_key(*now), nullptr, now); };
    handlers.modified = [this, number](const object_ptr& before, const object_ptr& now) {
      changed(number, object_key(*now), before, now);
    };
    handlers.deleted = [this, number](const std::string& key, const object_ptr& last) {
      changed(number, key, last, nullptr);
    };
    handlers.synced = [this] { schedule_work(); };
    handlers.progressed = [this](std::uint64_t) {
      std::vector<std::string> settled;
      for (const auto& [key, turn] : turns_)
        if (turn.unanswered == 0 && !turn.awaited.empty()) settled.push_back(key);
      for (const auto& key : settled) settle(key);
    };
    informer_options options;
    options.collection = std::move(source.collection);
    options.label_selector = std::move(source.label_selector);
    options.field_selector = std::move(source.field_selector);
    caches_.informers.push_back(std::make_unique<informer>(session_, std::move(options), std::move(handlers)));
    ++number;
  }
  for (auto& one : caches_.informers) one->start();
}

std::vector<controller::effect> controller_shell::step(const controller::event& happened) {
  return trace::traced_step(
      trace_, *logic_, happened,
      [this](controller::core& logic, const controller::event& e) { return controller::step(logic, caches_, e); },
      trace_.on() ? causes_of(happened) : std::vector<trace::cause>());
}

void controller_shell::changed(std::uint32_t source, std::string key, object_ptr before, object_ptr now) {
  perform(step(controller::object_changed{source, std::move(key), std::move(before), std::move(now)}), {});
}

/// `key`: whose turn it is; empty while observing, where writes have no turn.
void controller_shell::perform(std::vector<controller::effect> effects, const std::string& key) {
  for (auto& one : effects) {
    if (auto* add = std::get_if<controller::enqueue>(&one)) {
      queue_.add_after(add->key, add->after_ms, now_ms());
    } else if (auto* told = std::get_if<controller::note>(&one)) {
      if (!told->about) continue;
      auto subject = subject_of(*told->about);
      told->warning ? events_.warning(subject, told->reason, told->message)
                    : events_.normal(subject, told->reason, told->message);
    } else if (auto* trouble = std::get_if<controller::failed>(&one)) {
      log(log_level::debug, "controller.failed", "key=" + key + " why=" + trouble->message);
      auto found = turns_.find(key);
      if (found != turns_.end()) found->second.failed = true;
    } else {
      send_write(std::move(std::get<controller::write>(one)), key);
    }
  }
  schedule_work();
}

void controller_shell::send_write(controller::write write, const std::string& key) {
  auto found = turns_.find(key);
  std::uint64_t number = 0;
  if (found != turns_.end()) {
    ++found->second.unanswered;
    number = found->second.number;
  }
  auto request = write.request;
  session_.call(std::move(request), [this, key, number, write = std::move(write)](const api::response& answer) {
    answered(key, number, write, answer);
  });
}

// What a core asked to read; a write's answer is known from its object.
static shared_bytes read_body(const controller::write& write, const api::response& answer) {
  constexpr std::size_t most = 64 << 10;
  if (write.request.verb != api::method::get) return {};
  std::string text;
  for (const auto& part : answer.body)
    if (text.size() + part.size <= most) text += part.view();
  return shared_bytes(std::move(text));
}

void controller_shell::answered(const std::string& key, std::uint64_t number, const controller::write& write,
                                const api::response& answer) {
  auto found = turns_.find(key);
  bool current = found != turns_.end() && found->second.number == number;
  bool tolerated = std::find(write.tolerated.begin(), write.tolerated.end(), answer.error.why) != write.tolerated.end();
  bool good = answer.error.ok() || tolerated;
  if (current) {
    auto& turn = found->second;
    --turn.unanswered;
    if (!good) turn.failed = true;
    if (answer.error.ok() && write.seen_by >= 0 && answer.revision > 0) {
      auto& awaited = turn.awaited[static_cast<std::uint32_t>(write.seen_by)];
      awaited = std::max(awaited, answer.revision);
    }
  }
  if (!good)
    log(log_level::debug, "controller.write_failed",
        "key=" + key + " target=" + write.request.target + " why=" + answer.error.message);
  controller::write_done outcome{
      key, write.tag, answer.error, answer.revision, answer.object, read_body(write, answer)};
  perform(step(outcome), current ? key : std::string());
  if (current) settle(key);
}

bool controller_shell::ready() const {
  return std::all_of(caches_.informers.begin(), caches_.informers.end(), [](const auto& one) { return one->synced(); });
}

void controller_shell::schedule_work() {
  if (work_scheduled_) return;
  queue_.advance(now_ms());
  wake_when_due();
  if (queue_.waiting() == 0 || !ready() || turns_.size() >= options_.concurrent_keys) return;
  work_scheduled_ = true;
  post([this] {
    work_scheduled_ = false;
    work();
  });
}

void controller_shell::work() {
  queue_.advance(now_ms());
  for (std::size_t i = 0; i < options_.keys_per_slice && turns_.size() < options_.concurrent_keys; ++i) {
    auto key = queue_.take();
    if (!key) break;
    begin(*key);
  }
  schedule_work();
}

void controller_shell::begin(const std::string& key) {
  turns_[key].number = next_turn_++;
  perform(step(controller::key_due{key, wall_now_ms()}), key);
  settle(key);
}

/// Ends the key's turn when everything is answered and seen.
void controller_shell::settle(const std::string& key) {
  auto found = turns_.find(key);
  if (found == turns_.end() || found->second.unanswered > 0) return;
  auto& turn = found->second;
  std::erase_if(turn.awaited, [this](const auto& one) {
    return one.first >= caches_.informers.size() || caches_.informers[one.first]->revision() >= one.second;
  });
  if (turn.awaited.empty()) {
    end(key);
    return;
  }
  if (turn.settling) return;
  turn.settling = true;
  // A write that a selector keeps from the cache would be waited for in vain.
  after(options_.settle, [this, key, number = turn.number] {
    auto late = turns_.find(key);
    if (late != turns_.end() && late->second.number == number && late->second.unanswered == 0) end(key);
  });
}

void controller_shell::end(const std::string& key) {
  auto found = turns_.find(key);
  bool failed = found->second.failed;
  turns_.erase(found);
  if (failed)
    queue_.add_rate_limited(key, now_ms());
  else
    queue_.forget(key);
  queue_.done(key);
  schedule_work();
}

void controller_shell::wake_when_due() {
  auto due = queue_.next_due_ms();
  if (!due || (armed_for_ms_ != 0 && armed_for_ms_ <= *due)) return;
  armed_for_ms_ = *due;
  auto now = now_ms();
  after(std::chrono::milliseconds(*due > now ? *due - now : 0), [this, when = *due] {
    if (armed_for_ms_ == when) armed_for_ms_ = 0;
    schedule_work();
  });
}

}  // namespace troupe::runtime
