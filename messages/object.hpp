// An API object as it travels: its canonical JSON bytes and the few fields by which it is routed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/bytes.hpp"
#include "messages/status.hpp"

namespace troupe {

/// One API object, immutable and shared by every reader. `json` is what GET sends: canonical bytes with
/// metadata.resourceVersion spliced in. The views point into `json` (or `unescaped`).
struct object {
  std::uint16_t resource = 0;     // index into schema::resources()
  std::uint64_t revision = 0;     // store revision of the last change; equals metadata.resourceVersion
  std::uint64_t created = 0;      // store revision of the creation
  std::uint32_t item_offset = 0;  // json[item_offset..] is the object without kind and apiVersion and without '{'
  shared_bytes json;
  std::string_view namespace_name;  // empty for cluster scope
  std::string_view name;
  std::string_view uid;
  std::string_view node_name;                                         // spec.nodeName of a Pod, else empty
  std::vector<std::pair<std::string_view, std::string_view>> labels;  // sorted by key
  shared_bytes unescaped;  // holds those of the texts above that stand with escapes in json; mostly nothing

  /// The value of a label, or nullptr where it is absent.
  const std::string_view* label(std::string_view key) const;
};

using object_ptr = std::shared_ptr<const object>;

/// Makes the shared object from the stored value (canonical JSON without resourceVersion) and the revision it got.
/// An error means the bytes are not such an object.
result<object_ptr> make_object(std::uint16_t resource, std::string_view stored_json, std::uint64_t revision,
                               std::uint64_t created);

}  // namespace troupe
