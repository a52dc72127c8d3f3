// See termination_message.hpp.
#include "actors/kubelet/termination_message.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <sys/stat.h>

namespace troupe::kubelet {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_message = 4096;
constexpr std::size_t largest_of_log = 2048;
constexpr std::size_t lines_of_log = 80;

fs::path file_of(const std::string& root, const std::string& pod_uid, const std::string& container,
                 std::uint32_t attempt) {
  return fs::path(root) / pod_uid / "messages" / (container + "-" + std::to_string(attempt));
}

/// The last bytes of a log, from a line's beginning.
std::string log_end(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  auto size = static_cast<std::streamoff>(in.tellg());
  if (!in || size <= 0) return {};
  // A line of the log has its time, stream and tag in front.
  constexpr std::streamoff enough = largest_of_log + lines_of_log * 64;
  in.seekg(std::max<std::streamoff>(size - enough, 0));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    auto text = line.find(' ', line.find(' ', line.find(' ') + 1) + 1);
    if (text != line.npos) lines.push_back(line.substr(text + 1) + "\n");
  }
  std::string out;
  for (auto i = lines.size() > lines_of_log ? lines.size() - lines_of_log : 0; i < lines.size(); ++i) out += lines[i];
  return out.size() > largest_of_log ? out.substr(out.size() - largest_of_log) : out;
}

std::string annotation(const container::container_status& of, std::string_view key) {
  for (auto& [name, value] : of.annotations)
    if (name == key) return value;
  return {};
}

}  // namespace

std::string make_message_file(const std::string& root, const std::string& pod_uid, const std::string& container,
                              std::uint32_t attempt) {
  auto path = file_of(root, pod_uid, container, attempt);
  std::error_code bad;
  fs::create_directories(path.parent_path(), bad);
  // Any user of the container may write it.
  std::ofstream(path, std::ios::trunc).close();
  return chmod(path.c_str(), 0666) == 0 ? path.string() : std::string();
}

void add_message(container::container_status& of, const std::string& root) {
  if (of.state != container::container_state::exited || !of.message.empty() || root.empty()) return;
  std::ifstream in(file_of(root, of.pod_uid, of.name, of.attempt), std::ios::binary);
  std::string text(largest_message, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  bool fall_back = annotation(of, "io.kubernetes.container.terminationMessagePolicy") == "FallbackToLogsOnError";
  if (text.empty() && fall_back && of.exit_code != 0) text = log_end(of.log_path);
  of.message = std::move(text);
}

}  // namespace troupe::kubelet
