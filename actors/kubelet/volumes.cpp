// Making and removing volumes.
#include "actors/kubelet/volumes.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/kubelet/environment.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::kubelet {
namespace {

namespace fs = std::filesystem;
using core_v1::volume_view;

struct file {
  std::string path;  // below the volume
  std::string content;
  mode_t mode = 0644;
};

/// Turns one volume's description into files; the text says what is wrong.
struct collector {
  const document& pod;
  const node_facts& node;
  const env_sources& sources;
  std::vector<file> files;

  mode_t mode_of(std::int64_t own, std::int64_t usual) const { return static_cast<mode_t>(own >= 0 ? own : usual); }

  std::string take_source(bool secret, std::string_view name, bool optional,
                          const list_view<core_v1::key_to_path_view>& items, std::int64_t mode) {
    auto& all = secret ? sources.secrets : sources.config_maps;
    auto found = all.find(std::string(name));
    auto* doc = found == all.end() ? nullptr : found->second.get();
    auto what = std::string(secret ? "secret" : "configmap") + " \"" + std::string(name) + "\"";
    if (!doc) return optional ? std::string() : what + " not found";
    std::map<std::string, std::string> content;
    for (std::string_view part : {"data", "binaryData"}) {
      auto* data = doc->root().find(part);
      if (!data || !data->is_object()) continue;
      for (auto* m = data->begin_members(); m != data->end_members(); ++m) {
        std::string value(m->value.string());
        if (secret || part == "binaryData") decode_base64(m->value.string(), value);
        content[std::string(m->key)] = std::move(value);
      }
    }
    if (items.empty())
      for (auto& [key, value] : content) files.push_back({key, value, mode_of(-1, mode)});
    for (auto item : items) {
      auto one = content.find(std::string(item.key()));
      if (one == content.end() && optional) continue;
      if (one == content.end())
        return "references non-existent " + std::string(secret ? "secret" : "config") +
               " key: " + std::string(item.key());
      files.push_back({std::string(item.path()), one->second, mode_of(item.mode(-1), mode)});
    }
    return {};
  }

  std::string take_fields(const list_view<core_v1::downward_api_volume_file_view>& items, std::int64_t mode) {
    for (auto item : items) {
      file out{std::string(item.path()), {}, mode_of(item.mode(-1), mode)};
      auto r = item.resource_field_ref();
      bool good = item.has_field_ref()
                      ? field_value(pod, node, {}, item.field_ref().field_path(), out.content)
                      : resource_value(pod, node, r.container_name(), r.resource(), r.divisor(), out.content);
      if (!good) return "unsupported item \"" + out.path + "\" of a downward API volume";
      files.push_back(std::move(out));
    }
    return {};
  }

  std::string take_projected(const core_v1::projected_volume_source_view& projected) {
    auto mode = projected.default_mode(0644);
    for (auto s : projected.sources()) {
      std::string bad;
      if (s.has_secret()) bad = take_source(true, s.secret().name(), s.secret().optional(), s.secret().items(), mode);
      if (s.has_config_map())
        bad = take_source(false, s.config_map().name(), s.config_map().optional(), s.config_map().items(), mode);
      if (s.has_downward_api()) bad = take_fields(s.downward_api().items(), mode);
      // Tokens are made by TokenRequest, which the api_server does not serve.
      if (s.has_service_account_token()) bad = "service account tokens are not supported by this kubelet";
      if (s.has_cluster_trust_bundle()) bad = "cluster trust bundles are not supported by this kubelet";
      if (!bad.empty()) return bad;
    }
    return {};
  }
};

std::string unsupported(const volume_view& v) {
  if (v.has_empty_dir() || v.has_host_path() || v.has_config_map() || v.has_secret() || v.has_downward_api() ||
      v.has_projected())
    return {};
  for (auto* m = v.view_node()->begin_members(); m != v.view_node()->end_members(); ++m)
    if (m->key != "name")
      return "no volume plugin matched: " + std::string(m->key) + " is not supported by this kubelet";
  return {};  // an empty source is an emptyDir
}

std::string write_file(const fs::path& at, const file& f) {
  std::error_code bad;
  fs::create_directories(at.parent_path(), bad);
  std::ofstream out(at, std::ios::binary | std::ios::trunc);
  out << f.content;
  out.close();
  if (!out) return "cannot write " + at.string();
  if (chmod(at.c_str(), f.mode) != 0) return "cannot set the mode of " + at.string();
  return {};
}

std::string check_host_path(const core_v1::host_path_volume_source_view& source) {
  fs::path path(source.path());
  auto type = source.type();
  std::error_code bad;
  if (type == "DirectoryOrCreate") fs::create_directories(path, bad);
  if (type == "FileOrCreate" && !fs::exists(path, bad)) std::ofstream(path).flush();
  auto fail = [&](const char* what) { return "hostPath type check failed: " + path.string() + " is not a " + what; };
  if ((type == "Directory" || type == "DirectoryOrCreate") && !fs::is_directory(path, bad)) return fail("directory");
  if ((type == "File" || type == "FileOrCreate") && !fs::is_regular_file(path, bad)) return fail("file");
  if (type == "Socket" && !fs::is_socket(path, bad)) return fail("socket file");
  if (type == "CharDevice" && !fs::is_character_file(path, bad)) return fail("character device");
  if (type == "BlockDevice" && !fs::is_block_file(path, bad)) return fail("block device");
  return {};
}

/// Something is mounted there: another incarnation was here before.
bool is_mount_point(const fs::path& at) {
  struct stat own {
  }, parent{};
  return stat(at.c_str(), &own) == 0 && stat(at.parent_path().c_str(), &parent) == 0 && own.st_dev != parent.st_dev;
}

std::string make_empty_dir(const volume_view& v, const fs::path& at) {
  std::error_code bad;
  fs::create_directories(at, bad);
  if (bad) return "cannot make " + at.string() + ": " + bad.message();
  chmod(at.c_str(), 0777);
  if (v.empty_dir().medium() != "Memory" || is_mount_point(at)) return {};
  if (mount("tmpfs", at.c_str(), "tmpfs", 0, "mode=0777") != 0) return "cannot mount a tmpfs at " + at.string();
  return {};
}

std::string make_one(const volume_view& v, collector& c, const fs::path& at, std::string& path) {
  path = v.has_host_path() ? std::string(v.host_path().path()) : at.string();
  if (v.has_host_path()) return check_host_path(v.host_path());
  std::string bad;
  bool files = true;
  if (v.has_config_map()) {
    auto m = v.config_map();
    bad = c.take_source(false, m.name(), m.optional(), m.items(), m.default_mode(0644));
  } else if (v.has_secret()) {
    auto s = v.secret();
    bad = c.take_source(true, s.secret_name(), s.optional(), s.items(), s.default_mode(0644));
  } else if (v.has_downward_api()) {
    bad = c.take_fields(v.downward_api().items(), v.downward_api().default_mode(0644));
  } else if (v.has_projected()) {
    bad = c.take_projected(v.projected());
  } else {
    files = false;
  }
  if (!bad.empty()) return bad;
  if (!files) return make_empty_dir(v, at);
  std::error_code made;
  fs::create_directories(at, made);
  if (made) return "cannot make " + at.string() + ": " + made.message();
  for (auto& f : c.files) {
    if (f.path.find("..") != f.path.npos) return "invalid path " + f.path;
    if (bad = write_file(at / f.path, f); !bad.empty()) return bad;
  }
  return {};
}

/// securityContext.fsGroup: the volume belongs to the group, which may write, and so does what is made in it.
void give_to_group(const fs::path& at, std::int64_t group) {
  auto give = [&](const fs::path& path, bool folder) {
    struct stat about {};
    if (lstat(path.c_str(), &about) != 0 || S_ISLNK(about.st_mode)) return;
    if (lchown(path.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(group)) != 0) return;
    chmod(path.c_str(), (about.st_mode & 07777) | (folder ? 02070u : 0060u));
  };
  std::error_code bad;
  give(at, true);
  for (auto& one : fs::recursive_directory_iterator(at, bad)) give(one.path(), one.is_directory(bad));
}

}  // namespace

std::vector<reference> volume_references(const document& doc) {
  std::set<reference> out;
  for (auto v : core_v1::pod_view(doc).spec().volumes()) {
    if (v.has_config_map()) out.insert({false, std::string(v.config_map().name()), v.config_map().optional()});
    if (v.has_secret()) out.insert({true, std::string(v.secret().secret_name()), v.secret().optional()});
    for (auto s : v.projected().sources()) {
      if (s.has_config_map()) out.insert({false, std::string(s.config_map().name()), s.config_map().optional()});
      if (s.has_secret()) out.insert({true, std::string(s.secret().name()), s.secret().optional()});
    }
  }
  return {out.begin(), out.end()};
}

std::string make_volumes(const document& doc, const node_facts& node, const env_sources& sources,
                         const std::string& root, std::map<std::string, std::string>& paths) {
  core_v1::pod_view pod(doc);
  for (auto v : pod.spec().volumes()) {
    std::string name(v.name());
    collector c{doc, node, sources, {}};
    auto bad = unsupported(v);
    if (bad.empty() && root.empty()) {
      // On paper: what the volume refers to must exist all the same.
      for (auto& r : volume_references(doc)) {
        auto& all = r.secret ? sources.secrets : sources.config_maps;
        auto found = all.find(r.name);
        if (!r.optional && (found == all.end() || !found->second) && bad.empty())
          bad = std::string(r.secret ? "secret" : "configmap") + " \"" + r.name + "\" not found";
      }
      paths[name] = "/dev/null";
    } else if (bad.empty()) {
      auto at = fs::path(root) / std::string(pod.metadata().uid()) / "volumes" / name;
      bad = make_one(v, c, at, paths[name]);
      auto security = pod.spec().security_context();
      if (bad.empty() && security.has_fs_group() && !v.has_host_path()) give_to_group(at, security.fs_group());
    }
    if (!bad.empty()) return "MountVolume.SetUp failed for volume \"" + name + "\" : " + bad;
  }
  return {};
}

std::string resolve_mounts(std::vector<container::mount>& mounts,
                           const std::map<std::string, std::string>& volume_paths) {
  std::error_code bad;
  for (auto& one : mounts)
    for (auto& [name, path] : volume_paths) {
      if (path.empty() || !one.host_path.starts_with(path + "/")) continue;
      auto whole = fs::weakly_canonical(path, bad).string();
      auto part = fs::weakly_canonical(one.host_path, bad).string();
      if (bad || (part != whole && !part.starts_with(whole + "/")))
        return "failed to prepare subPath for volumeMount \"" + name + "\": it leads out of the volume";
      one.host_path = part;
    }
  return {};
}

std::string make_hosts_file(const document& doc, const std::string& root, const std::vector<std::string>& pod_ips,
                            const std::string& cluster_domain) {
  core_v1::pod_view pod(doc);
  if (root.empty() || pod.spec().host_network() || pod_ips.empty()) return {};
  std::string text =
      "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
      "fe00::\tip6-localnet\nfe00::\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n";
  auto hostname = std::string(pod.spec().hostname().empty() ? pod.metadata().name() : pod.spec().hostname());
  for (auto& ip : pod_ips) {
    text += ip + "\t";
    if (!pod.spec().subdomain().empty())
      text += hostname + "." + std::string(pod.spec().subdomain()) + "." + std::string(pod.metadata().namespace_()) +
              ".svc." + cluster_domain + "\t";
    text += hostname + "\n";
  }
  for (auto alias : pod.spec().host_aliases()) {
    text += std::string(alias.ip());
    for (auto name : alias.hostnames()) text += "\t" + std::string(name);
    text += "\n";
  }
  auto at = fs::path(root) / std::string(pod.metadata().uid()) / "etc-hosts";
  return write_file(at, {"", text, 0644}).empty() ? at.string() : std::string();
}

void remove_volumes(const std::string& pod_uid, const std::string& root) {
  if (root.empty() || pod_uid.empty()) return;
  std::error_code bad;
  auto at = fs::path(root) / pod_uid;
  for (auto& one : fs::directory_iterator(at / "volumes", bad)) umount2(one.path().c_str(), MNT_DETACH);
  fs::remove_all(at, bad);
}

void remove_logs(const std::string& pod_uid, const std::string& log_root) {
  if (pod_uid.empty()) return;
  std::error_code bad;
  for (auto& one : fs::directory_iterator(log_root, bad))
    if (one.path().filename().string().ends_with("_" + pod_uid)) fs::remove_all(one.path(), bad);
}

}  // namespace troupe::kubelet
