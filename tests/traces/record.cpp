// record_traces DIRECTORY: plays every scene and records it there anew.
#include <cstdio>
#include <exception>

#include "tests/traces/scenes.hpp"

int main(int count, char** values) {
  if (count != 2) {
    std::fprintf(stderr, "record_traces DIRECTORY\n");
    return 2;
  }
  try {
    for (const auto& scene : troupe::traces::scenes()) {
      auto file = std::string(values[1]) + "/" + scene.name + ".trace.zst";
      troupe::traces::record(scene, file);
      std::printf("%s\n", file.c_str());
    }
    return 0;
  } catch (const std::exception& wrong) {
    std::fprintf(stderr, "record_traces: %s\n", wrong.what());
    return 1;
  }
}
