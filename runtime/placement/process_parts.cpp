// See process_parts.hpp.
#include "runtime/placement/process_parts.hpp"

#include <filesystem>
#include <utility>

namespace troupe::runtime {

status process_parts::take_data_dir() {
  if (config.data_dir.empty()) return {};
  std::error_code failed;
  bool made = std::filesystem::create_directories(config.data_dir, failed);
  if (failed) return internal_error("cannot create " + config.data_dir + ": " + failed.message());
  // Keys are in it. A directory that was there before keeps the permissions that its owner gave it.
  if (made) std::filesystem::permissions(config.data_dir, std::filesystem::perms::owner_all, failed);
  auto taken = store::log::lock_directory(config.data_dir);
  if (!taken) return taken.error();
  lock = *taken;
  return {};
}

status process_parts::open_host() {
  auto opened = machine::open(config);
  if (!opened) return opened.error();
  host_machine = std::move(*opened);
  return {};
}

status process_parts::open_trace(std::string about) {
  if (!config.trace.enabled || config.data_dir.empty()) return {};
  trace::recorder_options how;
  how.directory = config.data_dir + "/trace";
  how.max_bytes = static_cast<std::uint64_t>(config.trace.max_bytes);
  how.configuration = std::move(about);
  how.wall_ms = outside.wall_now_ms();
  auto opened = trace::recorder::open(std::move(how));
  if (!opened) return opened.error();
  recorder = std::move(*opened);
  return {};
}

void process_parts::start_system() {
  settings = std::make_unique<system_config>(outside);
  settings->schedule_by_urgency();
  settings->hooks = hooks;
  settings->recorder = recorder.get();
  settings->allow_crash = config.debug.allow_crash;
  system = std::make_unique<caf::actor_system>(*settings);
}

void process_parts::start_root(std::vector<child_spec> children) {
  root = spawn_supervisor(*system, "root", std::move(children));
  root->attach_functor([this](const caf::error& reason) {
    std::lock_guard guard(failing);
    why_failed = why_ended(reason);
  });
}

bool process_parts::stop_root() {
  bool clean = stop_supervisor(*system, root);
  // A loop is at work a little longer than its actor, and what it holds needs the system.
  if (clean) settings->threads().join();
  root = nullptr;
  return clean;
}

std::string process_parts::failure() {
  std::lock_guard guard(failing);
  return why_failed;
}

}  // namespace troupe::runtime
