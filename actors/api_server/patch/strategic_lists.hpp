// Lists under a strategic merge patch: finding elements by merge key, and the order of the merged list.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "messages/document.hpp"

namespace troupe::api::rules {

constexpr std::string_view directive_marker = "$patch";

using elements = std::vector<node>;

/// The elements as handles; empty for null or no array.
elements elements_of(const node* list);
/// Index of the map whose merge key has the value, or -1.
std::ptrdiff_t find_by_key(const elements& list, std::string_view key, const node& value);
/// Index of an element equal to `wanted`: by merge key for maps, by value otherwise; -1 where there is none.
std::ptrdiff_t position(const elements& list, const node& wanted, std::string_view key);

/// Merges items that the patch orders with items that only the server has: each part in its own list's order, and
/// relative to each other as the server had them.
elements ordered(const elements& merged, const elements& patch_order, const elements& server_order,
                 std::string_view key);

/// The error of an item without its merge key: "" when all have it.
std::string missing_key(const elements& list, std::string_view key);
/// Go's print of a value: map[a:1 b:[x y]].
std::string go_print(const node& value);
std::string go_print(const elements& list);

}  // namespace troupe::api::rules
