// CRC32C (Castagnoli), by the processor's instruction where there is one.
#pragma once

#include <cstdint>
#include <string_view>

namespace troupe::store::log {

/// The checksum of the bytes; `seed` is the checksum of what came before them.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

}  // namespace troupe::store::log
