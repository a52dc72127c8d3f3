// Owner references: who controls an object.
#pragma once

#include <string>

#include "messages/document.hpp"
#include "messages/object.hpp"
#include "messages/views/meta_v1.hpp"

namespace troupe::controllers {

/// The controlling owner of an object (the owner reference with controller: true); all empty where there is none.
struct owner {
  std::string api_version, kind, name, uid;
  explicit operator bool() const { return !uid.empty(); }
};

owner controller_of(const meta_v1::object_meta_view& metadata);

/// Adds the reference of a controller that blocks its owner's foreground deletion.
void set_controller(meta_v1::object_meta_view metadata, std::string_view api_version, std::string_view kind,
                    std::string_view name, std::string_view uid);

/// The object decoded. Cached objects are well formed; a broken one is a bug and throws.
document decode(const object& one);

/// "NAMESPACE/NAME", or "NAME" in cluster scope: the key of caches and queues.
std::string key_of(const object& one);
std::string key_of(std::string_view namespace_name, std::string_view name);

}  // namespace troupe::controllers
