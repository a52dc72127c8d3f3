// GET /version.
#include "actors/api_server/discovery/version.hpp"

#include <string>

namespace troupe::api {

std::string_view git_version() { return "v1.36.4+troupe" TROUPE_VERSION; }

const shared_bytes& version_document() {
  static const shared_bytes document = [] {
#if defined(__aarch64__)
    constexpr std::string_view platform = "linux/arm64";
#else
    constexpr std::string_view platform = "linux/amd64";
#endif
    std::string out = "{\n";
    auto line = [&](std::string_view name, std::string_view value, bool last = false) {
      out += "  \"" + std::string(name) + "\": \"" + std::string(value) + (last ? "\"\n" : "\",\n");
    };
    line("major", "1");
    line("minor", "36");
    line("emulationMajor", "1");
    line("emulationMinor", "36");
    line("minCompatibilityMajor", "1");
    line("minCompatibilityMinor", "35");
    line("gitVersion", git_version());
    line("gitCommit", "");
    line("gitTreeState", "clean");
    line("buildDate", "1970-01-01T00:00:00Z");  // builds are reproducible, so they know no date
    line("goVersion", "none");
    line("compiler", "g++");
    line("platform", platform, true);
    return shared_bytes(out + "}");
  }();
  return document;
}

}  // namespace troupe::api
