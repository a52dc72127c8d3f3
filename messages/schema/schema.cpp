// Look-ups in the schema table.
#include "messages/schema/schema.hpp"

#include <algorithm>

#include "messages/schema/tables.hpp"
#include "messages/short_text.hpp"

namespace troupe::schema {
namespace {

using short_text::load;

/// The 64 bits of a name that its hash is made of; generate.py has the same function.
std::uint64_t key_bits(std::string_view text) {
  const char* p = text.data();
  const std::size_t n = text.size();
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (n >= 8) {
    first = load<std::uint64_t>(p);
    last = load<std::uint64_t>(p + n - 8);
  } else if (n >= 4) {
    first = load<std::uint32_t>(p);
    last = load<std::uint32_t>(p + n - 4);
  } else if (n > 0) {
    first = load<std::uint8_t>(p) | static_cast<unsigned>(load<std::uint8_t>(p + n / 2)) << 8 |
            static_cast<unsigned>(load<std::uint8_t>(p + n - 1)) << 16;
  }
  return first + last * 0x9E3779B97F4A7C15ULL + n;
}

std::uint16_t slot_of(const lookup& table, std::string_view group, std::string_view version, std::string_view last) {
  const std::uint64_t bits = key_bits(group) * 0xC2B2AE3D27D4EB4FULL + key_bits(version) * 0x165667B19E3779F9ULL +
                             key_bits(last) * 0x27D4EB2F165667C5ULL;
  return table.slots[(bits * table.multiplier) >> table.shift];
}

}  // namespace

std::uint16_t type::index_of(std::string_view field_name) const {
  const std::uint8_t slot = slots[(key_bits(field_name) * multiplier) >> shift];
  return slot < fields.size() && short_text::equal(fields[slot].name, field_name) ? slot : no_index;
}

const subresource* resource::find_subresource(std::string_view wanted) const {
  for (const auto& sub : subresources) {
    if (sub.name == wanted) return &sub;
  }
  return nullptr;
}

std::span<const type> types() { return generated.types; }
std::span<const enumeration> enums() { return generated.enums; }
std::span<const package> packages() { return generated.packages; }
std::span<const resource> resources() { return generated.resources; }
std::span<const group_version> group_versions() { return generated.group_versions; }

std::uint16_t find_type(std::string_view id) {
  const auto order = generated.types_by_id;
  auto at = std::lower_bound(order.begin(), order.end(), id,
                             [](std::uint16_t index, std::string_view key) { return generated.types[index].id < key; });
  return at != order.end() && generated.types[*at].id == id ? *at : no_index;
}

std::uint16_t find_resource(std::string_view group, std::string_view version, std::string_view plural) {
  const std::uint16_t index = slot_of(generated.by_plural, group, version, plural);
  if (index == no_index) return no_index;
  const resource& found = generated.resources[index];
  return found.plural == plural && found.group == group && found.version == version ? index : no_index;
}

std::uint16_t find_kind(std::string_view group, std::string_view version, std::string_view kind) {
  const std::uint16_t index = slot_of(generated.by_kind, group, version, kind);
  if (index == no_index) return no_index;
  const resource& found = generated.resources[index];
  return found.kind == kind && found.group == group && found.version == version ? index : no_index;
}

}  // namespace troupe::schema
