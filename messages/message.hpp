// How a struct becomes an actor message: in process it is passed as it is; across processes and in traces it is one
// msgpack frame.
#pragma once

#include <exception>
#include <string>

#include <msgpack.hpp>

#include <caf/error.hpp>
#include <caf/meta/load_callback.hpp>
#include <caf/sec.hpp>

namespace troupe {

/// One value as msgpack bytes.
template <class T>
std::string to_msgpack(const T& value) {
  msgpack::sbuffer buffer;
  msgpack::pack(buffer, value);
  return {buffer.data(), buffer.size()};
}

/// Reads one value back; false for bytes that are not one. Never throws.
template <class T>
bool from_msgpack(std::string_view bytes, T& value) noexcept {
  try {
    auto handle = msgpack::unpack(bytes.data(), bytes.size());
    handle.get().convert(value);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

/// CAF's inspection of a message struct. A loader must not throw (it would end the process), so bad bytes come back as
/// `sec::invalid_argument`.
template <class Inspector, class T>
typename Inspector::result_type inspect_as_msgpack(Inspector& f, T& value) {
  if constexpr (Inspector::reads_state) {
    std::string bytes = to_msgpack(value);
    return f(bytes);
  } else {
    std::string bytes;
    return f(bytes, caf::meta::load_callback([&]() -> caf::error {
               return from_msgpack(bytes, value) ? caf::error{} : caf::make_error(caf::sec::invalid_argument);
             }));
  }
}

}  // namespace troupe

/// Inside a struct: makes it a message whose listed members travel, in this order.
#define TROUPE_MESSAGE(name, ...)                                         \
  MSGPACK_DEFINE(__VA_ARGS__)                                             \
  template <class Inspector>                                              \
  friend typename Inspector::result_type inspect(Inspector& f, name& x) { \
    return ::troupe::inspect_as_msgpack(f, x);                            \
  }
