// The generated tables as schema.cpp sees them.
#pragma once

#include "messages/schema/schema.hpp"

namespace troupe::schema {

/// A perfect hash over the resources: slots hold indexes or no_index.
struct lookup {
  std::uint64_t multiplier;
  std::uint8_t shift;
  std::span<const std::uint16_t> slots;
};

/// Everything generate.py writes.
struct tables {
  std::span<const type> types;
  std::span<const enumeration> enums;
  std::span<const package> packages;
  std::span<const resource> resources;
  std::span<const group_version> group_versions;
  std::span<const std::uint16_t> types_by_id;  // indexes of types, sorted by id
  lookup by_plural;
  lookup by_kind;
};

extern const tables generated;

}  // namespace troupe::schema
