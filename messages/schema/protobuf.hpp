// Reading Kubernetes' protobuf form (application/vnd.kubernetes.protobuf), driven by the schema table's field numbers.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "messages/document.hpp"
#include "messages/schema/schema.hpp"
#include "messages/status.hpp"

namespace troupe::schema {

/// A field that JSON has flattened into its type but protobuf keeps in a message of its own: the number of that
/// message's field, and where two are nested the inner one's (else 0).
struct inlined_field {
  std::uint16_t type;
  std::uint16_t ordinal;
  std::uint16_t outer;
  std::uint16_t inner;
};
/// All of them, sorted by type and ordinal.
std::span<const inlined_field> inlined_fields();

/// What the envelope (runtime.Unknown behind the magic "k8s\0") says of the object in it.
struct protobuf_envelope {
  std::string_view api_version, kind;
  std::string_view raw;
};
/// Opens the envelope; bad_request for bytes that are none.
result<protobuf_envelope> open_envelope(std::string_view bytes);

/// Decodes a message of the type into the same tree that its JSON would give. Unknown field numbers are skipped, as
/// protobuf asks; bytes that are no such message are a bad_request. Nesting is bounded to 128.
result<document> from_protobuf(std::string_view bytes, std::uint16_t type);

/// An enveloped object: its kind says which type. `expected` is taken when the envelope names none.
result<document> parse_protobuf(std::string_view bytes, std::uint16_t expected);

}  // namespace troupe::schema
