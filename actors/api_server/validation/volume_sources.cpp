// Rules of the volume sources; most only demand a few fields.
#include "actors/api_server/validation/volume_sources.hpp"

#include <algorithm>
#include <string>

#include "actors/api_server/validation/names.hpp"

namespace troupe::api::rules {
namespace {

using path_t = rules::path;

void require(error_list& errors, const path_t& at, const node& source, std::string_view field) {
  if (text(&source, field).empty()) errors.required(at.child(field));
}

void check_partition(error_list& errors, const path_t& at, const node& source) {
  const auto partition = number(&source, "partition");
  if (partition < 0 || partition > 255) errors.invalid(at.child("partition"), partition, range_message(1, 255));
}

void check_host_path(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  const auto where = text(&source, "path");
  if (where.empty()) return errors.required(at.child("path"));
  check_no_backsteps(errors, at.child("path"), where);
  const auto type = text(&source, "type");
  constexpr std::string_view known[] = {"",     "BlockDevice",  "CharDevice", "Directory", "DirectoryOrCreate",
                                        "File", "FileOrCreate", "Socket"};
  if (std::find(std::begin(known), std::end(known), type) == std::end(known))
    errors.not_supported(at.child("type"), type, known);
}

void check_git_repo(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "repository");
  check_descending_path(errors, at.child("directory"), text(&source, "directory"));
}

void check_gce_disk(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "pdName");
  check_partition(errors, at, source);
}

void check_aws_disk(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "volumeID");
  check_partition(errors, at, source);
}

void check_keyed(error_list& errors, const path_t& at, const node& source, std::string_view name_field) {
  require(errors, at, source, name_field);
  check_file_mode(errors, at.child("defaultMode"), get(&source, "defaultMode"));
  const path_t items = at.child("items");
  each(get(&source, "items"),
       [&](const node& item, std::size_t i) { check_key_to_path(errors, items.index(i), item); });
}
void check_secret(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  check_keyed(errors, at, source, "secretName");
}
void check_config_map(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  check_keyed(errors, at, source, "name");
}

void check_nfs(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "server");
  require(errors, at, source, "path");
  const auto where = text(&source, "path");
  if (!where.starts_with('/')) errors.invalid(at.child("path"), where, "must be an absolute path");
}

void check_iscsi(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "targetPortal");
  const auto iqn = text(&source, "iqn");
  if (iqn.empty())
    errors.required(at.child("iqn"));
  else if (!iqn.starts_with("iqn") && !iqn.starts_with("eui") && !iqn.starts_with("naa"))
    errors.invalid(at.child("iqn"), iqn, "must be valid format starting with iqn, eui, or naa");
  const auto lun = number(&source, "lun");
  if (lun < 0 || lun > 255) errors.invalid(at.child("lun"), lun, range_message(0, 255));
  if ((flag(&source, "chapAuthDiscovery") || flag(&source, "chapAuthSession")) && !has(&source, "secretRef"))
    errors.required(at.child("secretRef"));
}

void check_glusterfs(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "endpoints");
  require(errors, at, source, "path");
}

void check_flocker(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  const auto name = text(&source, "datasetName"), uuid = text(&source, "datasetUUID");
  if (name.empty() && uuid.empty()) errors.required(at, "one of datasetName and datasetUUID is required");
  if (!name.empty() && !uuid.empty())
    errors.invalid(at, "resource", "datasetName and datasetUUID can not be specified simultaneously");
  if (name.find('/') != std::string_view::npos) errors.invalid(at.child("datasetName"), name, "must not contain '/'");
}

void check_claim(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "claimName");
}

void check_rbd(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  if (count(&source, "monitors") == 0) errors.required(at.child("monitors"));
  require(errors, at, source, "image");
}

void check_cinder(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "volumeID");
  const node* secret = get(&source, "secretRef");
  if (secret && text(secret, "name").empty()) errors.required(at.child("secretRef.name"));
}

void check_ceph(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  if (count(&source, "monitors") == 0) errors.required(at.child("monitors"));
}

void check_quobyte(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  if (text(&source, "registry").empty())
    errors.required(at.child("registry"), "must be a host:port pair or multiple pairs separated by commas");
  else if (text(&source, "tenant").size() >= 65)
    errors.required(at.child("tenant"), "must be a UUID and may not exceed a length of 64 characters");
  require(errors, at, source, "volume");
}

void check_downward(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  check_file_mode(errors, at.child("defaultMode"), get(&source, "defaultMode"));
  each(get(&source, "items"), [&](const node& file, std::size_t) { check_downward_file(errors, at, file); });
}

void check_fibre(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  const bool targets = count(&source, "targetWWNs") > 0, ids = count(&source, "wwids") > 0;
  if (!targets && !ids)
    errors.required(at.child("targetWWNs"), "must specify either targetWWNs or wwids, but not both");
  if (targets && ids)
    errors.invalid(at.child("targetWWNs"), get(&source, "targetWWNs"),
                   "targetWWNs and wwids can not be specified simultaneously");
  if (!targets) return;
  const node* lun = get(&source, "lun");
  if (!lun)
    errors.required(at.child("lun"), "lun is required if targetWWNs is specified");
  else if (lun->integer() < 0 || lun->integer() > 255)
    errors.invalid(at.child("lun"), lun, range_message(0, 255));
}

void check_flex(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "driver");
}

void check_azure_file(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "secretName");
  require(errors, at, source, "shareName");
}

void check_vsphere(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "volumePath");
}

void check_photon(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "pdID");
}

void check_portworx(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "volumeID");
}

void check_azure_disk(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "diskName");
  require(errors, at, source, "diskURI");
  const auto caching = text(&source, "cachingMode");
  if (has(&source, "cachingMode") && caching != "None" && caching != "ReadOnly" && caching != "ReadWrite")
    errors.not_supported(at.child("cachingMode"), caching, {"None", "ReadOnly", "ReadWrite"});
}

void check_storage_os(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  const auto name = text(&source, "volumeName");
  if (name.empty())
    errors.required(at.child("volumeName"));
  else
    errors.invalid(at.child("volumeName"), name, dns1123_label(name));
}

void check_projected_source(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  check_projected(errors, at, source);
}

void check_scale_io(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  require(errors, at, source, "gateway");
  require(errors, at, source, "system");
  require(errors, at, source, "volumeName");
}

void check_csi(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  const auto driver = text(&source, "driver");
  if (driver.empty()) errors.required(at.child("driver"));
  if (driver.size() > 63) errors.too_long(at.child("driver"), 63);
  if (!driver.empty()) {
    std::string lower(driver);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    errors.invalid(at.child("driver"), driver, dns1123_subdomain(lower));
  }
  const node* secret = get(&source, "nodePublishSecretRef");
  if (secret && text(secret, "name").empty()) errors.required(at.child("nodePublishSecretRef.name"));
}

void check_ephemeral(error_list& errors, const path_t& at, const node& source, const pod_scope&) {
  if (!has(&source, "volumeClaimTemplate")) errors.required(at.child("volumeClaimTemplate"));
}

void check_image(error_list& errors, const path_t& at, const node& source, const pod_scope& scope) {
  if (scope.whole_pod && text(&source, "reference").empty()) errors.required(at.child("reference"));
  check_pull_policy(errors, at.child("pullPolicy"), text(&source, "pullPolicy"));
}

constexpr volume_source_rule all_rules[] = {
    {"hostPath", "hostPath", "hostPath", check_host_path},
    {"gitRepo", "gitRepo", "gitRepo", check_git_repo},
    {"gcePersistentDisk", "persistentDisk", "gcePersistentDisk", check_gce_disk},
    {"awsElasticBlockStore", "awsElasticBlockStore", "awsElasticBlockStore", check_aws_disk},
    {"secret", "secret", "secret", check_secret},
    {"nfs", "nfs", "nfs", check_nfs},
    {"iscsi", "iscsi", "iscsi", check_iscsi},
    {"glusterfs", "glusterfs", "glusterfs", check_glusterfs},
    {"flocker", "flocker", "flocker", check_flocker},
    {"persistentVolumeClaim", "persistentVolumeClaim", "persistentVolumeClaim", check_claim},
    {"rbd", "rbd", "rbd", check_rbd},
    {"cinder", "cinder", "cinder", check_cinder},
    {"cephfs", "cephfs", "cephFS", check_ceph},
    {"quobyte", "quobyte", "quobyte", check_quobyte},
    {"downwardAPI", "downwardAPI", "downwarAPI", check_downward},
    {"fc", "fc", "fc", check_fibre},
    {"flexVolume", "flexVolume", "flexVolume", check_flex},
    {"configMap", "configMap", "configMap", check_config_map},
    {"azureFile", "azureFile", "azureFile", check_azure_file},
    {"vsphereVolume", "vsphereVolume", "vsphereVolume", check_vsphere},
    {"photonPersistentDisk", "photonPersistentDisk", "photonPersistentDisk", check_photon},
    {"portworxVolume", "portworxVolume", "portworxVolume", check_portworx},
    {"azureDisk", "azureDisk", "azureDisk", check_azure_disk},
    {"storageos", "storageos", "storageos", check_storage_os},
    {"projected", "projected", "projected", check_projected_source},
    {"scaleIO", "scaleIO", "scaleIO", check_scale_io},
    {"csi", "csi", "csi", check_csi},
    {"ephemeral", "ephemeral", "ephemeral", check_ephemeral},
    {"image", "image", "image", check_image},
};

}  // namespace

const std::span<const volume_source_rule> volume_source_rules = all_rules;

}  // namespace troupe::api::rules
