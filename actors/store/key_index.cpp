// Every key's retained versions, in memory.
#include "actors/store/key_index.hpp"

namespace troupe::store::core {

const version* key_history::at(std::uint64_t revision) const {
  for (auto v = versions.rbegin(); v != versions.rend(); ++v) {
    if (v->mod <= revision) return v->deleted() ? nullptr : &*v;
  }
  return nullptr;
}

version* key_history::exactly(std::uint64_t mod) {
  for (auto v = versions.rbegin(); v != versions.rend() && v->mod >= mod; ++v) {
    if (v->mod == mod) return &*v;
  }
  return nullptr;
}

key_range::key_range(std::string_view key, std::string_view range_end) : begin(key), end(range_end) {
  if (range_end.empty()) {
    end = begin;
    end.push_back('\0');
  } else if (range_end == std::string_view("\0", 1)) {
    unbounded = true;
  }
}

void value_cache::add(key_index& index, key_index::iterator key, const version& v) {
  if (!v.value.pointer()) return;
  const auto size = static_cast<std::uint32_t>(v.value.size());
  places_.push_back({key, v.mod, size});
  ++key->second.cached;
  bytes_ += size;
  while (bytes_ > limit_) {
    const place oldest = places_.front();
    places_.pop_front();
    bytes_ -= oldest.size;
    if (auto* held = oldest.key->second.exactly(oldest.mod)) held->value = {};
    --oldest.key->second.cached;
    index.erase_if_empty(oldest.key);
  }
}

key_value to_key_value(const std::string& key, const version& v) {
  key_value out;
  out.key = key;
  out.create_revision = v.create;
  out.mod_revision = v.mod;
  out.version = v.number;
  out.lease = v.lease;
  out.value = v.value;
  return out;
}

}  // namespace troupe::store::core
