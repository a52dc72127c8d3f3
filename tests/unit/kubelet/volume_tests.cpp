// Volumes as files: what their group may do, and parts of them.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include "actors/kubelet/volumes.hpp"
#include "tests/unit/kubelet/fixture.hpp"

using namespace troupe;
using namespace troupe::kubelet;
namespace fs = std::filesystem;

namespace {

struct volume_folder {
  fs::path path = fs::temp_directory_path() / ("troupe-volumes-" + std::to_string(getpid()));
  volume_folder() { fs::create_directories(path); }
  ~volume_folder() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE("a part of a volume must lie in it, whatever links a container made") {
  volume_folder here;
  auto volume = here.path / "v";
  fs::create_directories(volume / "real");
  fs::create_symlink("/etc", volume / "out");
  fs::create_symlink("real", volume / "in");
  std::map<std::string, std::string> paths{{"v", volume}};
  auto part = [&](const std::string& sub) {
    return std::vector<container::mount>{{"/m", volume / sub, false, false, {}}};
  };

  auto good = part("in");
  CHECK(resolve_mounts(good, paths).empty());
  CHECK(good[0].host_path == fs::canonical(volume / "real").string());
  auto fresh = part("not/there/yet");
  CHECK(resolve_mounts(fresh, paths).empty());
  auto bad = part("out");
  CHECK(resolve_mounts(bad, paths).find("leads out of the volume") != std::string::npos);
  auto deep = part("out/ssl");
  CHECK_FALSE(resolve_mounts(deep, paths).empty());
  std::vector<container::mount> whole{{"/m", volume, false, false, {}}};
  CHECK(resolve_mounts(whole, paths).empty());
}

TEST_CASE("an fsGroup may write into the pod's volumes") {
  volume_folder here;
  auto group = getegid();
  auto pod = testing::parse_json(
      R"({"metadata":{"uid":"u"},"spec":{"securityContext":{"fsGroup":)" + std::to_string(group) +
      R"(},"volumes":[{"name":"e","emptyDir":{}},{"name":"c","configMap":{"name":"m","defaultMode":256}}]}})");
  env_sources sources;
  sources.config_maps["m"] = std::make_shared<const document>(testing::parse_json(R"({"data":{"key":"value"}})"));
  std::map<std::string, std::string> paths;
  REQUIRE(make_volumes(pod, {}, sources, here.path, paths).empty());
  struct stat about {};
  REQUIRE(stat(paths["e"].c_str(), &about) == 0);
  CHECK(about.st_gid == group);
  CHECK((about.st_mode & 02070) == 02070);
  REQUIRE(stat((paths["c"] + "/key").c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0460);
}

TEST_CASE("a service account token cannot be projected, and that is said") {
  volume_folder here;
  auto pod = testing::parse_json(
      R"({"metadata":{"uid":"u"},"spec":{"volumes":[{"name":"t","projected":{"sources":[{"serviceAccountToken":{"path":"token"}}]}}]}})");
  std::map<std::string, std::string> paths;
  CHECK(make_volumes(pod, {}, {}, here.path, paths) ==
        "MountVolume.SetUp failed for volume \"t\" : service account tokens are not supported by this kubelet");
}
