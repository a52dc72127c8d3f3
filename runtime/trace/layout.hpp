// What a recorded core's events and effects are called, and whether they still look as they did when they were
// recorded: made from the types at compile time, written once into each segment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include <msgpack.hpp>

namespace troupe::trace {

/// The type's name without its namespaces: "bind_pod".
template <class T>
constexpr std::string_view type_name() {
  // "... type_name() [with T = troupe::scheduler::bind_pod; std::string_view = ...]", clang: "[T = ...]".
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("T = ") + 4);
  text = text.substr(0, text.find_first_of(";]"));
  auto at = text.rfind("::");
  return at == text.npos ? text : text.substr(at + 2);
}

/// The names of a core's events and effects by alternative, and a number that changes when their fields do.
struct core_layout {
  std::uint64_t fingerprint = 0;
  std::vector<std::string> events;
  std::vector<std::string> effects;
};

namespace detail {

/// FNV-1a, continued.
inline void mix(std::uint64_t& hash, std::string_view bytes) {
  for (unsigned char c : bytes) hash = (hash ^ c) * 1099511628211ull;
  hash = (hash ^ 0xff) * 1099511628211ull;
}

template <class T>
struct alternatives {
  template <class Take>
  static void each(Take&& take) {
    take(std::type_identity<T>());
  }
};
template <class... Ts>
struct alternatives<std::variant<Ts...>> {
  template <class Take>
  static void each(Take&& take) {
    (take(std::type_identity<Ts>()), ...);
  }
};

template <class T>
std::vector<std::string> describe_alternatives(std::uint64_t& hash) {
  std::vector<std::string> names;
  alternatives<T>::each([&]<class One>(std::type_identity<One>) {
    names.emplace_back(type_name<One>());
    // A fresh value has every field once: their number and kinds are in its bytes.
    msgpack::sbuffer fresh;
    msgpack::pack(fresh, One{});
    mix(hash, names.back());
    mix(hash, {fresh.data(), fresh.size()});
  });
  return names;
}

}  // namespace detail

/// The layout of a core with these events and effects (structs with MSGPACK_DEFINE or variants of such).
template <class Event, class Effect>
const core_layout& layout_of() {
  static const core_layout made = [] {
    core_layout one;
    one.fingerprint = 14695981039346656037ull;
    one.events = detail::describe_alternatives<Event>(one.fingerprint);
    one.effects = detail::describe_alternatives<Effect>(one.fingerprint);
    return one;
  }();
  return made;
}

}  // namespace troupe::trace
