// The hollow runtime's shell.
#include "actors/container_runtime/hollow/hollow.hpp"

#include <map>

#include "actors/container_runtime/hollow/annotations.hpp"
#include "messages/streams.hpp"
#include "runtime/component.hpp"

namespace troupe::hollow {
namespace {

using namespace runtime;

constexpr std::size_t lines_per_chunk = 256;

class hollow_shell final : public component<container::runtime_actor> {
 public:
  hollow_shell(caf::actor_config& settings, options given) : component(settings, "runtime"), core_(std::move(given)) {}

  behavior_type make_behavior() override {
    return {[this](const container::request& m) { on_request(m); },
            [this](const container::subscribe& m) { on_subscribe(m); },
            [this](const container::read_log& m) { on_read_log(m); },
            [this](const container::log_more& m) { on_log_more(m); },
            [this](const container::open_stream& m) { on_open_stream(m); }};
  }

 private:
  struct waiting_caller {
    caf::strong_actor_ptr actor;
    std::size_t open = 0;
  };
  struct reader {
    container::read_log order;
    caf::strong_actor_ptr actor;
    std::size_t next_line = 0;
    std::int64_t sent = 0;
    bool wants = true;    // a chunk was asked for and could not be given yet
    bool opened = false;  // the reader has had a chunk, if only an empty one
  };
  using reader_key = std::pair<std::uint64_t, std::uint64_t>;  // actor, id

  moment now() const {
    return {static_cast<std::int64_t>(steady_now_us() / 1000), static_cast<std::int64_t>(wall_now_ms()) * 1'000'000};
  }

  void on_request(const container::request& m) {
    auto from = current_sender();
    if (!from) return;
    auto& caller = callers_[from->id()];
    caller.actor = from;
    ++caller.open;
    perform(core_.handle(now(), from->id(), m));
  }

  void on_timer(std::uint64_t) override { perform(core_.advance(now())); }

  void perform(effects all) {
    for (auto& one : all) std::visit([this](auto& x) { perform(x); }, one);
  }
  void perform(answer& a) {
    auto found = callers_.find(a.caller);
    if (found == callers_.end()) return;
    send_to(found->second.actor, std::move(a.reply));
    if (--found->second.open == 0) callers_.erase(found);
  }
  void perform(changed& c) {
    auto found = subscribers_.find(c.pod_uid);
    if (found == subscribers_.end()) found = subscribers_.find("");
    if (found != subscribers_.end()) {
      if (auto alive = caf::actor_cast<caf::strong_actor_ptr>(found->second))
        send_to(alive, c.what);
      else
        subscribers_.erase(found);
    }
    wake_readers();
  }
  void perform(wake& w) {
    auto wait = std::max<std::int64_t>(w.at_ms - now().steady_ms, 0);
    start_timer(std::chrono::milliseconds(wait + 1), 0);
  }

  void on_subscribe(const container::subscribe& m) {
    auto from = current_sender();
    if (!from) return;
    auto found = subscribers_.find(m.pod_uid);
    auto address = caf::actor_cast<caf::actor_addr>(from);
    if (!m.end)
      subscribers_[m.pod_uid] = address;
    else if (found != subscribers_.end() && found->second == address)
      subscribers_.erase(found);
  }

  void on_open_stream(const container::open_stream& m) {
    auto what = m.kind == container::stream_kind::port_forward ? "ports" : "processes";
    if (current_sender())
      send_to(current_sender(),
              stream::opened{
                  m.id,
                  {container::fault::unimplemented,
                   std::string("the runtime of this node is simulated (hollow): its containers have no ") + what}});
  }

  // -- logs

  void on_read_log(const container::read_log& m) {
    auto from = current_sender();
    if (!from) return;
    auto* lines = core_.log_of(m.container_id);
    if (!lines) {
      send_to(caf::actor_cast<container::client_actor>(from),
              container::log_chunk{
                  m.id, {}, true, {container::fault::not_found, "container \"" + m.container_id + "\" not found"}});
      return;
    }
    reader r{m, from};
    if (m.tail_lines >= 0 && static_cast<std::int64_t>(lines->size()) > m.tail_lines)
      r.next_line = lines->size() - static_cast<std::size_t>(m.tail_lines);
    auto key = reader_key{from->id(), m.id};
    readers_[key] = std::move(r);
    give(key);
  }

  void on_log_more(const container::log_more& m) {
    if (!current_sender()) return;
    auto key = reader_key{current_sender()->id(), m.id};
    auto found = readers_.find(key);
    if (found == readers_.end()) return;
    if (m.stop) {
      readers_.erase(found);
      return;
    }
    found->second.wants = true;
    give(key);
  }

  void wake_readers() {
    std::vector<reader_key> keys;
    for (auto& [key, r] : readers_)
      if (r.wants) keys.push_back(key);
    for (auto& key : keys) give(key);
  }

  /// The next chunk, unless a follower has to wait for one.
  void give(const reader_key& key) {
    auto& r = readers_.at(key);
    auto* lines = core_.log_of(r.order.container_id);
    std::string text;
    bool full = false;
    auto since = log_line(r.order.since_ns, "").substr(0, 30);
    for (std::size_t count = 0; lines && r.next_line < lines->size() && count < lines_per_chunk; ++count) {
      auto& line = (*lines)[r.next_line++];
      if (r.order.since_ns > 0 && line.compare(0, 30, since) < 0) continue;
      auto at = line.find(' ', line.find(' ', line.find(' ') + 1) + 1) + 1;
      auto shown = (r.order.timestamps ? line.substr(0, line.find(' ') + 1) : std::string()) + line.substr(at) + "\n";
      if (r.order.limit_bytes > 0) {
        auto left = static_cast<std::size_t>(r.order.limit_bytes - r.sent);
        full = shown.size() >= left;
        shown.resize(std::min(shown.size(), left));
      }
      r.sent += static_cast<std::int64_t>(shown.size());
      text += shown;
      if (full) break;
    }
    bool drained = !lines || r.next_line >= lines->size();
    bool end = full || (drained && !(r.order.follow && core_.running(r.order.container_id)));
    if (text.empty() && !end && r.opened) return;
    r.opened = true;  // which is said at once, though there be nothing yet
    r.wants = false;
    send_to(r.actor, container::log_chunk{r.order.id, shared_bytes(std::move(text)), end, {}});
    if (end) readers_.erase(key);
  }

  core core_;
  std::map<std::uint64_t, waiting_caller> callers_;
  std::map<std::string, caf::actor_addr> subscribers_;
  std::map<reader_key, reader> readers_;
};

}  // namespace

container::runtime_actor spawn_hollow(caf::actor_system& system, options settings) {
  return system.spawn<hollow_shell>(std::move(settings));
}

}  // namespace troupe::hollow
