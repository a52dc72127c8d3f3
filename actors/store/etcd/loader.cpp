// See loader.hpp.
#include "actors/store/etcd/loader.hpp"

#include <dlfcn.h>

#include <filesystem>
#include <string>
#include <utility>

namespace troupe::store::etcd {
namespace {

constexpr const char* module_name = "libtroupe_etcd.so";

struct module {
  open_function open = nullptr;
  std::string error;
};

/// Loaded once and never unloaded: gRPC keeps threads of its own.
const module& loaded() {
  static const module once = [] {
    std::error_code ignored;
    auto path = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / module_name;
    auto* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) return module{nullptr, dlerror()};
    auto* symbol = dlsym(handle, open_symbol);
    if (!symbol) return module{nullptr, path.string() + " is not the module it should be"};
    return module{reinterpret_cast<open_function>(symbol), {}};
  }();
  return once;
}

}  // namespace

result<std::unique_ptr<client>> open_client(const connection_options& how, std::function<void(event)> sink) {
  const auto& found = loaded();
  if (!found.open) return internal_error("the driver for etcd cannot be loaded: " + found.error);
  return std::unique_ptr<client>(found.open(how, std::move(sink)));
}

}  // namespace troupe::store::etcd
