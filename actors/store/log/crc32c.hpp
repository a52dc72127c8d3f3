// CRC32C (Castagnoli), by the processor's instruction where there is one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe::store::log {

/// The checksum of `size` bytes; `seed` is the checksum of what came before them.
std::uint32_t crc32c(const void* data, std::size_t size, std::uint32_t seed = 0);

}  // namespace troupe::store::log
