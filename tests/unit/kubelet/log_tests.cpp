// Rotation of logs, and what a container says of its end.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "actors/kubelet/log_rotation.hpp"
#include "actors/kubelet/termination_message.hpp"

using namespace troupe;
using namespace troupe::kubelet;
namespace fs = std::filesystem;

namespace {

struct log_folder {
  fs::path path = fs::temp_directory_path() / ("troupe-kubelet-" + std::to_string(getpid()));
  log_folder() { fs::create_directories(path); }
  ~log_folder() { fs::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name) << text;
    return path / name;
  }
  std::size_t files() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), {})); }
};

container::container_status ended(std::int32_t code) {
  container::container_status out;
  out.pod_uid = "uid";
  out.name = "main";
  out.attempt = 2;
  out.state = container::container_state::exited;
  out.exit_code = code;
  return out;
}

}  // namespace

TEST_CASE("a large log is moved aside, five files at most are kept") {
  log_folder here;
  auto log = here.write("0.log", "x");
  CHECK_FALSE(log_is_large(log));
  fs::resize_file(log, largest_log + 1);
  CHECK(log_is_large(log));
  for (int i = 0; i < 8; ++i) {
    here.write("0.log", "text " + std::to_string(i));
    REQUIRE(rotate_log(log, "2026010" + std::to_string(i)));
    CHECK_FALSE(fs::exists(log));
  }
  here.write("0.log", "new");
  CHECK(here.files() == 5);
  CHECK_FALSE(fs::exists(log + ".20260103"));
  CHECK(fs::exists(log + ".20260104"));
}

TEST_CASE("a log that could not be opened anew is moved back") {
  log_folder here;
  auto log = here.write("0.log", "kept");
  REQUIRE(rotate_log(log, "1"));
  unrotate_log(log, "1");
  CHECK(fs::file_size(log) == 4);
  CHECK(here.files() == 1);
  CHECK_FALSE(rotate_log(here.path / "none.log", "1"));
}

TEST_CASE("the message of a container is what it wrote into its file") {
  log_folder here;
  auto file = make_message_file(here.path, "uid", "main", 2);
  REQUIRE(!file.empty());
  CHECK((fs::status(file).permissions() & fs::perms::others_write) != fs::perms::none);
  std::ofstream(file) << "it was the disk";
  auto status = ended(1);
  add_message(status, here.path);
  CHECK(status.message == "it was the disk");
  std::ofstream(file) << std::string(5000, 'x');
  status = ended(0);
  add_message(status, here.path);
  CHECK(status.message.size() == 4096);
}

TEST_CASE("with FallbackToLogsOnError it is the end of the log, when it failed") {
  log_folder here;
  make_message_file(here.path, "uid", "main", 2);
  std::string text;
  for (int i = 0; i < 100; ++i) text += "2026-01-02T03:04:05Z stdout F line " + std::to_string(i) + "\n";
  auto status = ended(1);
  status.log_path = here.write("0.log", text);
  add_message(status, here.path);
  CHECK(status.message.empty());
  status.annotations = {{"io.kubernetes.container.terminationMessagePolicy", "FallbackToLogsOnError"}};
  add_message(status, here.path);
  CHECK(status.message.starts_with("line 20\nline 21\n"));
  CHECK(status.message.ends_with("line 99\n"));
  auto good = ended(0);
  good.log_path = status.log_path;
  good.annotations = status.annotations;
  add_message(good, here.path);
  CHECK(good.message.empty());
}
