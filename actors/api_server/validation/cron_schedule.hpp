// Cron schedules as the library that Kubernetes uses reads them.
#pragma once

#include <string>
#include <string_view>

namespace troupe::api::rules {

/// What is wrong with a schedule of five fields or a descriptor ("@daily", "@every 1h"); empty when it is fine.
std::string schedule_error(std::string_view schedule);

}  // namespace troupe::api::rules
