// Image references: which tag a container's image names.
#pragma once

#include <string_view>

namespace troupe::api::rules {

/// The tag of an image reference; "latest" where it has neither tag nor digest, "" for a digest or a text that is no
/// valid reference (distribution's grammar).
std::string_view image_tag(std::string_view image);

}  // namespace troupe::api::rules
