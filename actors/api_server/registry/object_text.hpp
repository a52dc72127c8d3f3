// Small facts about documents and stored objects that the flows share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "messages/document.hpp"
#include "messages/object.hpp"

namespace troupe::api {

/// The member's text, or "" where it is absent or none.
std::string_view text_at(const node& parent, std::string_view key);
/// The document's metadata, made if absent.
node& metadata_of(document& doc);
/// The metadata of a read-only object; null where absent.
const node* metadata_of(const node& root);
/// metadata.KEY as text.
std::string_view metadata_text(const node& root, std::string_view key);
/// "2026-01-02T03:04:05Z" of milliseconds since 1970.
std::string time_text(std::int64_t ms);
/// True when the object's bytes are `stored` (which has no resourceVersion).
bool same_as_stored(const object& current, std::string_view stored);
/// Replaces next[key] by a copy of previous[key], or removes it where that is absent.
void carry_over(document& doc, node& next, const node& previous, std::string_view key);
/// base, cut to 58 characters, and five random characters of Kubernetes' alphabet.
std::string generate_name(std::string_view base, std::uint64_t random);

}  // namespace troupe::api
