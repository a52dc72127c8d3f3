// The driver's shell: requests and answers between actors and the client, logs from their files.
#include "actors/container_runtime/cri/cri.hpp"

#include <filesystem>
#include <stdexcept>

#include <caf/allowed_unsafe_message_type.hpp>

#include "actors/container_runtime/cri/core.hpp"
#include "actors/container_runtime/cri/loader.hpp"
#include "actors/container_runtime/cri/log_reader.hpp"
#include "actors/container_runtime/cri/streams/stream_loop.hpp"
#include "runtime/component.hpp"

namespace troupe::cri {

/// From the client's thread to the driver: a call is over.
struct call_over {
  std::function<void()> run;
};

using driver_actor = container::runtime_actor::extend<caf::reacts_to<call_over>>;

namespace {

using namespace runtime;

/// What a request is about, and how it stands to others about the same.
struct place_of {
  std::string key;
  manner how = manner::alone;
  bool changes = false;  // the runtime's list, when it is done
};

place_of place(const container::run_sandbox& o) {
  auto& c = o.config;
  return {"pod " + c.namespace_name + "/" + c.name + "/" + c.uid + "/" + std::to_string(c.attempt), manner::alone,
          true};
}
place_of place(const container::create_container& o) { return {o.sandbox_id, manner::alone, true}; }
place_of place(const container::stop_sandbox& o) { return {o.id, manner::stopping, true}; }
place_of place(const container::remove_sandbox& o) { return {o.id, manner::alone, true}; }
place_of place(const container::start_container& o) { return {o.id, manner::alone, true}; }
place_of place(const container::stop_container& o) { return {o.id, manner::stopping, true}; }
place_of place(const container::remove_container& o) { return {o.id, manner::alone, true}; }
place_of place(const container::update_resources& o) { return {o.id, manner::alone, false}; }
place_of place(const container::reopen_log& o) { return {o.id, manner::alone, false}; }
place_of place(const container::exec_sync& o) { return {o.id, manner::reading, false}; }
template <class Other>
place_of place(const Other&) {
  return {};
}

class driver final : public component<driver_actor> {
 public:
  driver(caf::actor_config& settings, options given)
      : component(settings, "runtime"), options_(std::move(given)), logs_(*this) {
    auto opened = open_client(options_.socket);
    if (!opened) throw std::runtime_error(opened.error().message);
    client_ = std::move(*opened);
    marks_ = {{node_label, options_.node_name}};
    set_down_handler([this](const caf::down_msg&) { streams_ = nullptr; });
  }

  behavior_type make_behavior() override {
    feed(clock_due{now_ms()});
    return {[this](const container::request& m) { on_request(m); },
            [this](const container::subscribe& m) { on_subscribe(m); },
            [this](const container::read_log& m) { on_read_log(m); },
            [this](const container::log_more& m) { logs_.more(current_sender(), m); },
            [this](const container::open_stream& m) { on_open_stream(m); },
            [this](const call_over& m) { m.run(); }};
  }

  /// Ends every call that is under way; their callbacks find nobody. Streams end too.
  void on_exit() override {
    client_.reset();
    if (streams_) caf::anon_send_exit(streams_, caf::exit_reason::user_shutdown);
    streams_ = nullptr;
  }

 private:
  struct waiting {
    std::uint64_t id = 0;  // the asker's
    caf::strong_actor_ptr asker;
    container::operation what;
    bool changes = false;
  };

  std::int64_t now_ms() const { return static_cast<std::int64_t>(steady_now_us() / 1000); }

  void on_timer(std::uint64_t) override { feed(clock_due{now_ms()}); }

  void feed(const event& what) {
    for (auto& one : step(state_, what)) std::visit([this](auto& x) { perform(x); }, one);
  }

  /// Asks the runtime; the answer is handled in this actor.
  void ask(question what, const container::label_list& marks, std::function<void(container::failure, answer)> then) {
    auto me = caf::actor_cast<caf::actor_addr>(caf::strong_actor_ptr{ctrl()});
    client_->ask(std::move(what), marks, [me, then = std::move(then)](container::failure error, answer came) {
      auto alive = caf::actor_cast<caf::strong_actor_ptr>(me);
      if (!alive) return;
      caf::anon_send(caf::actor_cast<driver_actor>(alive),
                     call_over{[then, error = std::move(error), came = std::move(came)]() mutable {
                       then(std::move(error), std::move(came));
                     }});
    });
  }

  // -- requests

  void on_request(const container::request& m) {
    if (!current_sender()) return;
    auto token = next_++;
    auto about = std::visit([](auto& o) { return place(o); }, m.what);
    waiting_[token] = {m.id, current_sender(), m.what, about.changes};
    if (std::holds_alternative<container::list_pods>(m.what)) return feed(list_wanted{now_ms(), token});
    feed(request_came{now_ms(), token, about.key, about.how});
  }

  void perform(const begin& e) {
    auto& one = waiting_.at(e.token);
    std::visit([this](auto& o) { prepare(o); }, one.what);
    ask(one.what, marks_, [this, token = e.token](const container::failure& error, const answer& came) {
      if (error.ok()) remove_log(waiting_.at(token).what);
      reply(token, error, came);
      feed(request_ended{now_ms(), token, changed_});
    });
  }

  void reply(std::uint64_t token, const container::failure& error, const answer& came) {
    auto found = waiting_.find(token);
    auto* outcome = std::get_if<container::outcome>(&came);
    send_to(found->second.asker,
            container::reply{found->second.id, error, outcome ? *outcome : container::outcome(container::done{})});
    changed_ = found->second.changes;
    waiting_.erase(found);
  }

  /// The runtime wants the folders of its logs to be there.
  void prepare(container::run_sandbox& o) {
    make_folder(o.config.log_directory);
    if (o.config.runtime_handler.empty()) o.config.runtime_handler = options_.runtime_handler;
  }
  void prepare(container::create_container& o) {
    std::filesystem::path log = o.sandbox.log_directory;
    make_folder((log / o.config.log_path).parent_path());
  }
  template <class Other>
  void prepare(Other&) {}

  /// The runtime leaves the log of a container that it removes, and what was rotated away from it.
  void remove_log(const container::operation& what) {
    auto* removal = std::get_if<container::remove_container>(&what);
    auto known = removal ? state_.containers.find(removal->id) : state_.containers.end();
    if (known == state_.containers.end() || known->second.log_path.empty()) return;
    std::filesystem::path log = known->second.log_path;
    std::error_code ignored;
    for (auto& one : std::filesystem::directory_iterator(log.parent_path(), ignored))
      if (one.path().string().starts_with(log.string())) std::filesystem::remove(one.path(), ignored);
  }

  void make_folder(const std::filesystem::path& path) {
    std::error_code failed;
    if (!path.empty()) std::filesystem::create_directories(path, failed);
    if (failed) log(log_level::warn, "cri.log_folder", path.string() + ": " + failed.message());
  }

  // -- looking

  void perform(const look&) {
    ask(list_brief{marks_}, {}, [this](const container::failure& error, const answer& came) {
      looked e{now_ms(), error, {}};
      if (auto* list = std::get_if<brief_list>(&came)) e.found = *list;
      note_away(error);
      feed(e);
    });
  }
  void perform(const inspect& e) {
    if (e.sandbox)
      ask(inspect_sandbox{e.id}, {}, [this, id = e.id](const container::failure& error, const answer& came) {
        sandbox_seen out{now_ms(), id, error, {}};
        if (auto* status = std::get_if<container::sandbox_status>(&came)) out.status = *status;
        feed(out);
      });
    else
      ask(inspect_container{e.id}, {}, [this, id = e.id](const container::failure& error, const answer& came) {
        container_seen out{now_ms(), id, error, {}};
        if (auto* status = std::get_if<container::container_status>(&came)) out.status = *status;
        feed(out);
      });
  }
  void note_away(const container::failure& error) {
    if (away_ == !error.ok()) return;
    away_ = !error.ok();
    // A private containerd is started together with the driver.
    if (away_)
      log(state_.known ? log_level::warn : log_level::info, "cri.away", error.message);
    else
      log(log_level::info, "cri.back", options_.socket);
  }
  void perform(const give_list& e) {
    auto found = waiting_.find(e.token);
    auto& uid = std::get<container::list_pods>(found->second.what).pod_uid;
    reply(e.token, e.error, container::outcome(e.error.ok() ? picture(state_, uid) : container::pod_list{}));
  }
  void perform(const wake& e) {
    start_timer(std::chrono::milliseconds(std::max<std::int64_t>(e.at_ms - now_ms(), 0) + 1), 0);
  }

  // -- subscribers

  void on_subscribe(const container::subscribe& m) {
    if (!current_sender()) return;
    auto address = caf::actor_cast<caf::actor_addr>(current_sender());
    auto found = subscribers_.find(m.pod_uid);
    if (!m.end)
      subscribers_[m.pod_uid] = address;
    else if (found != subscribers_.end() && found->second == address)
      subscribers_.erase(found);
  }
  /// False when the subscriber is gone.
  bool tell(const caf::actor_addr& subscriber, const container::happenings& what) {
    auto alive = caf::actor_cast<caf::strong_actor_ptr>(subscriber);
    if (alive) send_to(alive, what);
    return static_cast<bool>(alive);
  }
  void perform(const publish& e) {
    for (auto& one : e.what.containers)
      if (one.state == container::container_state::exited) logs_.ended(one.id);
    for (auto& id : e.what.gone) logs_.ended(id);
    auto found = subscribers_.find(e.pod_uid);
    if (found != subscribers_.end() && tell(found->second, e.what)) return;
    if (found != subscribers_.end() && !e.pod_uid.empty()) subscribers_.erase(found);
    if (auto rest = subscribers_.find(""); rest != subscribers_.end()) tell(rest->second, e.what);
  }
  void perform(const publish_lost&) {
    container::happenings lost;
    lost.lost = true;
    std::erase_if(subscribers_, [&](auto& one) { return !tell(one.second, lost); });
  }

  // -- logs

  void on_read_log(const container::read_log& m) {
    auto reader = current_sender();
    if (!reader) return;
    auto found = state_.containers.find(m.container_id);
    if (found != state_.containers.end()) return open_log(m, reader, found->second);
    // It was made since the last look.
    ask(inspect_container{m.container_id}, {}, [this, m, reader](const container::failure& error, const answer& came) {
      auto* status = std::get_if<container::container_status>(&came);
      if (error.ok() && status) return open_log(m, reader, *status);
      send_to(reader, container::log_chunk{m.id, {}, true, error});
    });
  }
  void open_log(container::read_log m, const caf::strong_actor_ptr& reader, const container::container_status& about) {
    if (m.path.empty()) m.path = about.log_path;
    bool running =
        about.state == container::container_state::running || about.state == container::container_state::created;
    logs_.open(reader, m, running);
  }

  // -- streams

  void on_open_stream(const container::open_stream& m) {
    auto reader = current_sender();
    if (!reader) return;
    // Whether a port answers shows when it is connected to.
    if (m.kind == container::stream_kind::port_forward && m.port == 0) return send_to(reader, stream::opened{m.id, {}});
    ask(find_stream{m}, {}, [this, m, reader](const container::failure& error, const answer& came) {
      auto* found = std::get_if<stream_url>(&came);
      if (!error.ok() || !found) return send_to(reader, stream::opened{m.id, error});
      if (!streams_) start_streams();
      send_to(streams_, dial{found->url, m, reader});
    });
  }
  void start_streams() {
    spawn_scope scope(path() + "/streams", incarnation());
    streams_ = spawn_stream_loop(system());
    monitor(streams_);
  }

  options options_;
  stream_loop_actor streams_;  // null: nobody wanted one yet, or it crashed
  container::label_list marks_;
  std::unique_ptr<client> client_;
  driver_state state_;
  log_readers logs_;
  std::map<std::uint64_t, waiting> waiting_;
  std::uint64_t next_ = 1;
  bool changed_ = false;  // by the request just answered
  bool away_ = false;
  std::map<std::string, caf::actor_addr> subscribers_;
};

}  // namespace

container::runtime_actor spawn_driver(caf::actor_system& system, options settings) {
  return system.spawn<driver>(std::move(settings));
}

}  // namespace troupe::cri

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::cri::call_over)
