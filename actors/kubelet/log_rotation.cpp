// See log_rotation.hpp.
#include "actors/kubelet/log_rotation.hpp"

#include <algorithm>
#include <filesystem>
#include <vector>

namespace troupe::kubelet {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_files = 5;

/// Those that were moved aside, oldest first: stamps sort as time goes.
std::vector<fs::path> older(const fs::path& path) {
  std::vector<fs::path> out;
  std::error_code bad;
  auto prefix = path.filename().string() + ".";
  for (auto& one : fs::directory_iterator(path.parent_path(), bad))
    if (one.path().filename().string().starts_with(prefix)) out.push_back(one.path());
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

bool log_is_large(const std::string& path) {
  std::error_code bad;
  auto size = fs::file_size(path, bad);
  return !bad && size > largest_log;
}

bool rotate_log(const std::string& path, const std::string& stamp) {
  std::error_code bad;
  auto all = older(path);
  // With the fresh one and the one moved now there may be most_files.
  for (std::size_t i = 0; i + (most_files - 2) < all.size(); ++i) fs::remove(all[i], bad);
  fs::rename(path, path + "." + stamp, bad);
  return !bad;
}

void unrotate_log(const std::string& path, const std::string& stamp) {
  std::error_code bad;
  if (!fs::exists(path, bad)) fs::rename(path + "." + stamp, path, bad);
}

}  // namespace troupe::kubelet
