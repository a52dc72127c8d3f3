// Wall clock times as the API writes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// RFC 3339 in UTC with whole seconds; `wall_ms`: since 1970.
std::string time_text(std::uint64_t wall_ms);
/// With microseconds: metav1.MicroTime.
std::string micro_time_text(std::uint64_t wall_ms);
/// Milliseconds since 1970 of such a text; 0 when it is none.
std::uint64_t time_ms(std::string_view text);

}  // namespace troupe
