// Templates of pods: equality and the hash in ReplicaSet names.
#include "actors/controller_manager/deployment/rollout.hpp"

namespace troupe::controllers {
namespace {

std::string text_without_hash(const core_v1::pod_template_spec_view& pattern) {
  document copy;
  if (auto* at = pattern.view_node()) copy.root() = copy.clone(*at);
  if (auto* labels = copy.root().find("metadata", "labels")) {
    copy.remove(*labels, hash_label);
    if (labels->empty()) copy.remove(*copy.root().find("metadata"), "labels");
  }
  return to_json(copy.root());
}

}  // namespace

// Any stable function of the template serves; the alphabet is apimachinery's SafeEncodeString (no vowels, no words).
std::string template_hash(const core_v1::pod_template_spec_view& pattern, std::int64_t collisions) {
  std::uint32_t hash = 2166136261u;
  auto mix = [&](std::string_view text) {
    for (unsigned char c : text) hash = (hash ^ c) * 16777619u;
  };
  mix(text_without_hash(pattern));
  if (collisions > 0) mix(std::to_string(collisions));
  constexpr std::string_view alphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string out;
  for (char digit : std::to_string(hash)) out += alphabet[static_cast<unsigned char>(digit) % alphabet.size()];
  return out;
}

bool same_template(const core_v1::pod_template_spec_view& a, const core_v1::pod_template_spec_view& b) {
  return text_without_hash(a) == text_without_hash(b);
}

}  // namespace troupe::controllers
