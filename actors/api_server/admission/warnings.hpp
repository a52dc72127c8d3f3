// Warnings that accompany an accepted object.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/document.hpp"

namespace troupe::api::rules {

/// Texts for Warning headers, in order.
std::vector<std::string> warnings_for(std::uint16_t type, const node& object);

}  // namespace troupe::api::rules
