// See loader.hpp.
#include "actors/container_runtime/cri/loader.hpp"

#include <filesystem>
#include <future>
#include <mutex>

#include <dlfcn.h>

namespace troupe::cri {
namespace {

constexpr const char* module_name = "libtroupe_cri.so";

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

result<std::unique_ptr<client>> open_client(const std::string& socket) {
  auto& found = loaded();
  if (!found.open) return internal_error("the driver for container runtimes cannot be loaded: " + found.error);
  return std::unique_ptr<client>(found.open(socket.c_str()));
}

container::failure ask_and_wait(client& runtime, question what, answer* out) {
  std::promise<container::failure> done;
  runtime.ask(std::move(what), {}, [&](container::failure error, answer came) {
    if (out) *out = std::move(came);
    done.set_value(std::move(error));
  });
  return done.get_future().get();
}

}  // namespace troupe::cri
