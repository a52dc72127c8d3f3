// The string forms that Kubernetes normalises on decoding: times, durations, quantities, base64.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::schema {

enum class time_format : std::uint8_t {
  seconds,  // metav1.Time: RFC3339, whole seconds
  micros,   // metav1.MicroTime: RFC3339 with exactly 6 fraction digits
};

/// What reading a scalar gave: either `text` is the normal form (empty: the zero value), or `error` says what is wrong
/// in Go's words.
struct scalar_result {
  bool ok = false;
  bool same = false;  // the input was in normal form already; `text` is not filled then
  std::string text;
  std::string error;
};

/// A time in UTC. Go's zero time becomes an empty text.
scalar_result normal_time(std::string_view in, time_format format);
/// Milliseconds from 1970 to a time, rounded down; nothing when it is not one.
std::optional<std::int64_t> time_ms(std::string_view in);
/// A Go duration ("90s" becomes "1m30s").
scalar_result normal_duration(std::string_view in);
/// A duration's magnitude and sign as Go's Duration.String() writes it.
std::string duration_text(std::uint64_t nanos, bool negative);
/// A quantity in canonical form.
scalar_result normal_quantity(std::string_view in);
/// Standard base64 with padding; line breaks are dropped.
scalar_result normal_base64(std::string_view in);
/// Bytes as standard base64 with padding.
std::string to_base64(std::string_view bytes);
/// Bytes of standard base64 in its normal form, up to the first character that is none.
std::string from_base64(std::string_view text);

}  // namespace troupe::schema
