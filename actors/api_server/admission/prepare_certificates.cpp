// The strategies of certificate signing requests (registry/certificates/certificates/strategy.go): what was asked for
// stays, whoever writes; a status judges nobody, an approval issues nothing.
#include <string>
#include <vector>

#include "actors/api_server/admission/prepare.hpp"
#include "actors/api_server/defaults/defaults.hpp"
#include "actors/api_server/validation/access.hpp"

namespace troupe::api::rules {
namespace {

std::vector<std::size_t> indices_of(const node* conditions, std::string_view type) {
  std::vector<std::size_t> out;
  each(conditions, [&](const node& one, std::size_t i) {
    if (text(&one, "type") == type) out.push_back(i);
  });
  return out;
}

/// Judgements are as they were. One that was added or taken away is refused by validation.
void keep_judgements(document& doc, node* now, const node* before) {
  for (std::string_view type : {"Approved", "Denied"}) {
    const auto old_ones = indices_of(before, type), new_ones = indices_of(now, type);
    if (old_ones.size() != new_ones.size()) continue;
    for (std::size_t i = 0; i < new_ones.size(); ++i)
      now->element(new_ones[i]) = doc.clone(before->element(old_ones[i]));
  }
}

/// Times that the client left out: now, or when a condition became what it still is.
void fill_times(document& doc, node* conditions, const node* before, std::string_view time) {
  for (std::size_t i = 0; i < count(conditions); ++i) {
    node& one = conditions->element(i);
    if (!has(&one, "lastUpdateTime")) doc.set(one, "lastUpdateTime", time);
    if (has(&one, "lastTransitionTime")) continue;
    std::string since(time);
    each(before, [&](const node& old, std::size_t) {
      if (text(&old, "type") == text(&one, "type") && text(&old, "status") == text(&one, "status") &&
          has(&old, "lastTransitionTime"))
        since = text(&old, "lastTransitionTime");
    });
    doc.set(one, "lastTransitionTime", std::string_view(since));
  }
}

}  // namespace

void prepare_signing_request_update(std::string_view subresource, const node& previous, document& object,
                                    std::string_view now) {
  if (const node* asked = get(&previous, "spec"))
    object.set(object.root(), "spec", object.clone(*asked));
  else
    object.remove(object.root(), "spec");
  node* status = object.root().find("status");
  if (subresource.empty() || !status || !status->is_object()) return;
  if (subresource == "approval") {
    const node* issued = get(&previous, "status", "certificate");
    if (issued)
      object.set(*status, "certificate", object.clone(*issued));
    else
      object.remove(*status, "certificate");
  }
  const node* before = get(&previous, "status", "conditions");
  fill_times(object, status->find("conditions"), before, now);
  if (subresource == "status") keep_judgements(object, status->find("conditions"), before);
}

}  // namespace troupe::api::rules
