// JSON merge patch (RFC 7386).
#include "actors/api_server/patch/patch.hpp"

namespace troupe::api::rules {
namespace {

void merge(document& doc, node& target, const node& patch) {
  if (!patch.is_object()) {
    target = doc.clone(patch);
    target.set_ordinal(0xffff);
    return;
  }
  if (!target.is_object()) doc.make_object(target);
  for (auto m = patch.begin_members(); m != patch.end_members(); ++m) {
    if (m->value.is_null())
      doc.remove(target, m->key);
    else
      merge(doc, doc.set(target, m->key), m->value);
  }
}

}  // namespace

result<document> apply_merge_patch(const node& current, std::string_view patch) {
  auto parsed = document::parse(patch);
  if (!parsed || !parsed->root().is_object()) return bad_request("Invalid JSON Patch");
  document out;
  out.root() = out.clone(current);
  merge(out, out.root(), parsed->root());
  return out;
}

}  // namespace troupe::api::rules
