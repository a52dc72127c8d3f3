// The kinds' strategies: what the server itself sets, clears or keeps when an object is created or changed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "messages/document.hpp"

namespace troupe::api::rules {

/// PrepareForCreate: status cleared or preset, derived fields set. `now` is RFC 3339, for the few that note the time.
void prepare_new(std::uint16_t type, document& object, std::string_view now = {});
/// PrepareForUpdate; status (main update) resp. all else (status update) has been carried over already.
void prepare_changed(std::uint16_t type, std::string_view subresource, const node& previous, document& object);
/// Whether objects of the type have metadata.generation.
bool counts_generation(std::uint16_t type);
/// Whether this change counts: the spec differs, or what else the kind looks at.
bool spec_changed(std::uint16_t type, const node& previous, const node& object);

/// A wall clock time as metav1.Time writes it ("2026-01-02T03:04:05Z"); "" for 0.
std::string rfc3339(std::int64_t ms);

/// Services: clusterIP and clusterIPs follow each other; allocated values that a client left out are kept; fields that
/// the new type has no use for go.
void prepare_service_update(const node& previous, document& object);
void prepare_service_create(document& object);

/// PrepareForUpdate of a certificate signing request; `now` as above.
void prepare_signing_request_update(std::string_view subresource, const node& previous, document& object,
                                    std::string_view now);

}  // namespace troupe::api::rules
