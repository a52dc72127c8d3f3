// What of a Secret may stand in a trace: its name and shape, never its values.
#pragma once

#include <string>
#include <string_view>

namespace troupe {

/// JSON of a Secret, of a list of Secrets or of a patch of one, with every value of data, stringData and annotations
/// (last-applied-configuration repeats the data) replaced. Bytes that are no JSON become "redacted".
std::string redact_secrets(std::string_view json);

/// The body of an API call as it may stand in a trace. `target`: the call's path and query.
std::string traceable_body(std::string_view target, std::string_view body);

}  // namespace troupe
