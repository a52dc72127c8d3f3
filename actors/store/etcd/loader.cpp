// See loader.hpp.
#include "actors/store/etcd/loader.hpp"

#include <utility>

#include "runtime/module.hpp"

namespace troupe::store::etcd {

result<std::unique_ptr<client>> open_client(const connection_options& how, std::function<void(event)> sink) {
  static const auto module = runtime::load_module("libtroupe_etcd.so", open_symbol);
  if (!module.symbol) return internal_error("the driver for etcd cannot be loaded: " + module.error);
  return std::unique_ptr<client>(reinterpret_cast<open_function>(module.symbol)(how, std::move(sink)));
}

}  // namespace troupe::store::etcd
