// The hollow runtime's operations that belong to no pod: images, version, status, figures.
#include "actors/container_runtime/hollow/core.hpp"
#include "messages/hash.hpp"

namespace troupe::hollow {

using container::fault;

namespace {
bool cannot_be_pulled(const std::string& name) { return name.compare(0, 15, "hollow.invalid/") == 0; }
}  // namespace

container::image_info core::image(const std::string& name) const {
  container::image_info info;
  const auto hash = fnv1a(name);
  info.id = "sha256:";
  for (int i = 0; i < 64; ++i) info.id += "0123456789abcdef"[(hash >> (i % 16 * 4)) & 15];
  info.tags = {name};
  info.size = 1'000'000 + hash % 100'000'000;
  return info;
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::image_status& o) {
  container::image_answer out;
  out.present = !cannot_be_pulled(o.image) && (options_.images_present || images_.count(o.image) > 0);
  if (out.present) out.info = image(o.image);
  reply(caller, id, std::move(out));
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::pull_image& o) {
  if (cannot_be_pulled(o.image))
    return refuse(caller, id, fault::not_found,
                  "failed to pull and unpack image \"" + o.image + "\": failed to resolve reference \"" + o.image +
                      "\": " + o.image + ": not found");
  images_[o.image] = true;
  auto info = image(o.image);
  reply(caller, id, container::image_pulled{info.id, info.size});
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::remove_image& o) {
  images_.erase(o.image);
  reply(caller, id, container::done{});
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::list_images&) {
  container::image_list out;
  for (auto& [name, present] : images_) out.images.push_back(image(name));
  reply(caller, id, std::move(out));
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::list_stats& o) {
  container::stats_list out;
  for (auto& [key, c] : containers_) {
    if (c.status.state != container::container_state::running) continue;
    if (!o.pod_uid.empty() && c.status.pod_uid != o.pod_uid) continue;
    container::container_stats one;
    one.id = key;
    one.pod_uid = c.status.pod_uid;
    one.name = c.status.name;
    one.time_ns = now_.wall_ns;
    out.containers.push_back(std::move(one));
  }
  reply(caller, id, std::move(out));
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::get_version&) {
  reply(caller, id, container::version_info{"hollow", TROUPE_VERSION, "v1"});
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::get_status&) {
  bool network = network_size_ != 0;
  reply(caller, id, container::status_info{true, "", network, network ? "" : "cni plugin not initialized"});
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::update_resources&) {
  reply(caller, id, container::done{});
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::reopen_log&) {
  reply(caller, id, container::done{});
}

}  // namespace troupe::hollow
