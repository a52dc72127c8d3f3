// Projected and downward API volumes.
#include <algorithm>
#include <string>
#include <vector>

#include "actors/api_server/validation/names.hpp"
#include "actors/api_server/validation/pod_rules.hpp"

namespace troupe::api::rules {
namespace {

/// Paths that the sources of one projected volume write to.
class path_set {
 public:
  void add(error_list& errors, const path& at, std::string_view where, std::string_view shown) {
    if (where.empty()) return;
    if (std::find(seen_.begin(), seen_.end(), where) != seen_.end())
      errors.invalid(at, shown, "conflicting duplicate paths");
    else
      seen_.push_back(where);
  }

 private:
  std::vector<std::string_view> seen_;
};

void check_keyed(error_list& errors, const path& volume, const path& at, const node& source, path_set& paths) {
  if (text(&source, "name").empty()) errors.required(at.child("name"));
  const path items = at.child("items");
  each(get(&source, "items"), [&](const node& item, std::size_t i) {
    check_key_to_path(errors, items.index(i), item);
    paths.add(errors, volume, text(&item, "path"), text(&source, "name"));
  });
}

void check_token(error_list& errors, const path& volume, const path& at, const node& source) {
  const auto seconds = number(&source, "expirationSeconds");
  if (seconds < 600)
    errors.invalid(at.child("expirationSeconds"), seconds, "may not specify a duration less than 10 minutes");
  if (seconds > (std::int64_t{1} << 32))
    errors.invalid(at.child("expirationSeconds"), seconds, "may not specify a duration larger than 2^32 seconds");
  const auto where = text(&source, "path");
  if (where.empty())
    errors.required(volume.child("path"));
  else
    check_local_path(errors, volume.child("path"), where);
}

void check_trust_bundle(error_list& errors, const path& volume, const path& at, const node& source, path_set& paths) {
  const bool name = has(&source, "name"), signer = has(&source, "signerName");
  if (name && signer)
    errors.invalid(at, &source, "only one of name and signerName may be used");
  else if (name && text(&source, "name").empty())
    errors.required(at.child("name"), "must be a valid object name");
  else if (signer && text(&source, "signerName").empty())
    errors.required(at.child("signerName"), "must be a valid signer name");
  else if (!name && !signer)
    errors.required(at, "either name or signerName must be specified");
  const auto where = text(&source, "path");
  if (where.empty()) errors.required(at.child("path"));
  check_local_path(errors, at.child("path"), where);
  paths.add(errors, volume, where, where);
}

}  // namespace

void check_downward_file(error_list& errors, const path& at, const node& file) {
  const auto where = text(&file, "path");
  if (where.empty()) errors.required(at.child("path"));
  check_local_path(errors, at.child("path"), where);
  const node *field = get(&file, "fieldRef"), *resource = get(&file, "resourceFieldRef");
  if (field) {
    check_object_field(errors, at.child("fieldRef"), *field, true);
    if (resource) errors.invalid(at, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
  } else if (resource) {
    check_resource_field(errors, at.child("resourceFieldRef"), *resource, true);
  } else {
    errors.required(at, "one of fieldRef and resourceFieldRef is required");
  }
  check_file_mode(errors, at.child("mode"), get(&file, "mode"));
}

void check_projected(error_list& errors, const path& at, const node& source) {
  check_file_mode(errors, at.child("defaultMode"), get(&source, "defaultMode"));
  path_set paths;
  const path list = at.child("sources");
  each(get(&source, "sources"), [&](const node& projection, std::size_t i) {
    const path here = list.index(i);
    int kinds = 0;
    if (const node* s = get(&projection, "secret")) ++kinds, check_keyed(errors, at, here.child("secret"), *s, paths);
    if (const node* s = get(&projection, "configMap"))
      ++kinds, check_keyed(errors, at, here.child("configMap"), *s, paths);
    if (const node* s = get(&projection, "downwardAPI")) {
      ++kinds;
      each(get(s, "items"), [&](const node& file, std::size_t) {
        check_downward_file(errors, here.child("downwardAPI"), file);
        paths.add(errors, at, text(&file, "path"), text(&file, "path"));
      });
    }
    if (const node* s = get(&projection, "serviceAccountToken"))
      ++kinds, check_token(errors, at, here.child("serviceAccountToken"), *s);
    if (const node* s = get(&projection, "clusterTrustBundle"))
      ++kinds, check_trust_bundle(errors, at, here.child("clusterTrustBundle"), *s, paths);
    if (has(&projection, "podCertificate")) ++kinds;
    if (kinds > 1) errors.forbidden(here, "may not specify more than 1 volume type per source");
  });
}

}  // namespace troupe::api::rules
