// Rows of PersistentVolumes and PersistentVolumeClaims.
#include "actors/api_server/printers/rows.hpp"

namespace troupe::api {
inline namespace printing_detail {

namespace {

/// "RWO,ROX" of accessModes, in Kubernetes' fixed order.
std::string access_modes(const node* modes) {
  static constexpr std::pair<std::string_view, std::string_view> known[] = {
      {"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};
  std::vector<std::string> out;
  for (const auto& [mode, abbreviation] : known)
    for (const node& one : elements_of(modes))
      if (one.string() == mode) {
        out.emplace_back(abbreviation);
        break;
      }
  return join(out, ",");
}

std::string_view phase_of(const node& object) {
  if (is_set(object.find("metadata", "deletionTimestamp"))) return "Terminating";
  return text_at(object, "status", "phase");
}

std::string_view storage_class(const node& object) {
  return or_else(text_at(object, "metadata", "annotations", "volume.beta.kubernetes.io/storage-class"),
                 text_at(object, "spec", "storageClassName"));
}

std::string_view attributes_class(const node& object) {
  return or_else(text_at(object, "spec", "volumeAttributesClassName"), "<unset>");
}

}  // namespace

void print_persistent_volume(table_row& out, const node& pv) {
  std::string claim;
  if (is_set(pv.find("spec", "claimRef")))
    claim = std::string(text_at(pv, "spec", "claimRef", "namespace")) + "/" +
            std::string(text_at(pv, "spec", "claimRef", "name"));
  out.name_of(pv).text(scalar_text(pv.find("spec", "capacity", "storage")));
  out.text(access_modes(pv.find("spec", "accessModes"))).text(text_at(pv, "spec", "persistentVolumeReclaimPolicy"));
  out.text(phase_of(pv)).text(claim).text(storage_class(pv)).text(attributes_class(pv));
  out.text(text_at(pv, "status", "reason")).age_of(pv).text(or_else(text_at(pv, "spec", "volumeMode"), "<unset>"));
}

void print_persistent_volume_claim(table_row& out, const node& pvc) {
  std::string_view volume = text_at(pvc, "spec", "volumeName");
  std::string capacity, modes;
  if (!volume.empty()) {
    capacity = scalar_text(pvc.find("status", "capacity", "storage"));
    modes = access_modes(pvc.find("status", "accessModes"));
  }
  out.name_of(pvc).text(phase_of(pvc)).text(volume).text(capacity).text(modes).text(storage_class(pvc));
  out.text(attributes_class(pvc)).age_of(pvc).text(or_else(text_at(pvc, "spec", "volumeMode"), "<unset>"));
}

}  // namespace printing_detail
}  // namespace troupe::api
