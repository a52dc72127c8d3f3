// See module.hpp.
#include "runtime/module.hpp"

#include <filesystem>

#include <dlfcn.h>

namespace troupe::runtime {

loaded_module load_module(const char* file, const char* symbol) {
  std::error_code ignored;
  auto path = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / file;
  auto* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return {nullptr, dlerror()};
  auto* found = dlsym(handle, symbol);
  if (!found) return {nullptr, path.string() + " is not the module it should be"};
  return {found, {}};
}

}  // namespace troupe::runtime
