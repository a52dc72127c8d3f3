// How an object stands in a trace: as a reference (resource, uid, revision); its bytes are written once, elsewhere in
// the trace. Include it where events or effects hold an object_ptr. Works only while a scope is open in the thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <msgpack.hpp>

#include "messages/object.hpp"
#include "messages/schema/schema.hpp"

namespace troupe {

/// "apps/v1/deployments", "/v1/pods": how a trace names a resource, since indexes change from build to build.
inline std::string resource_label(std::uint16_t resource) {
  auto all = schema::resources();
  if (resource >= all.size()) return "#" + std::to_string(resource);
  const auto& known = all[resource];
  return std::string(known.group).append("/").append(known.version).append("/").append(known.plural);
}

/// What identifies one state of one object.
struct object_reference {
  std::string resource;  // resource_label()
  std::string namespace_name;
  std::string name;
  std::string uid;
  std::uint64_t revision = 0;
  friend bool operator==(const object_reference&, const object_reference&) = default;
  friend auto operator<=>(const object_reference&, const object_reference&) = default;
  MSGPACK_DEFINE(resource, namespace_name, name, uid, revision)
};

inline object_reference reference_to(const object& one) {
  return {resource_label(one.resource), std::string(one.namespace_name), std::string(one.name), std::string(one.uid),
          one.revision};
}

/// While one is open, this thread packs objects as references and collects those it packed.
class packing_scope {
 public:
  packing_scope() : outer_(std::exchange(current(), this)) {}
  ~packing_scope() { current() = outer_; }
  packing_scope(const packing_scope&) = delete;
  packing_scope& operator=(const packing_scope&) = delete;

  static packing_scope*& current() {
    thread_local packing_scope* innermost = nullptr;
    return innermost;
  }
  std::vector<object_ptr> objects;

 private:
  packing_scope* outer_;
};

/// While one is open, this thread resolves references with the given function; null stands for an unknown object.
class resolving_scope {
 public:
  using resolver = std::function<object_ptr(const object_reference&)>;
  explicit resolving_scope(resolver find) : find_(std::move(find)), outer_(std::exchange(current(), this)) {}
  ~resolving_scope() { current() = outer_; }
  resolving_scope(const resolving_scope&) = delete;
  resolving_scope& operator=(const resolving_scope&) = delete;

  static resolving_scope*& current() {
    thread_local resolving_scope* innermost = nullptr;
    return innermost;
  }
  object_ptr resolve(const object_reference& reference) const { return find_(reference); }

 private:
  resolver find_;
  resolving_scope* outer_;
};

}  // namespace troupe

namespace msgpack {
MSGPACK_API_VERSION_NAMESPACE(MSGPACK_DEFAULT_API_NS) {
  namespace adaptor {
  /// An object as its reference; null as nil.
  template <>
  struct pack<troupe::object_ptr> {
    template <class Stream>
    msgpack::packer<Stream>& operator()(msgpack::packer<Stream>& o, const troupe::object_ptr& v) const {
      if (!v) return o.pack_nil();
      if (auto* scope = troupe::packing_scope::current()) scope->objects.push_back(v);
      return o.pack(troupe::reference_to(*v));
    }
  };
  template <>
  struct convert<troupe::object_ptr> {
    const msgpack::object& operator()(const msgpack::object& o, troupe::object_ptr& v) const {
      v = nullptr;
      auto* scope = troupe::resolving_scope::current();
      if (!o.is_nil() && scope) v = scope->resolve(o.as<troupe::object_reference>());
      return o;  // NOLINT(bugprone-return-const-ref-from-parameter): how msgpack wants its converters
    }
  };
  }  // namespace adaptor
}
}  // namespace msgpack
