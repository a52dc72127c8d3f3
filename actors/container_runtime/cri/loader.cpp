// See loader.hpp.
#include "actors/container_runtime/cri/loader.hpp"

#include <future>
#include <utility>

#include "runtime/module.hpp"

namespace troupe::cri {

result<std::unique_ptr<client>> open_client(const std::string& socket) {
  static const auto module = runtime::load_module("libtroupe_cri.so", open_symbol);
  if (!module.symbol) return internal_error("the driver for container runtimes cannot be loaded: " + module.error);
  return std::unique_ptr<client>(reinterpret_cast<open_function>(module.symbol)(socket.c_str()));
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
