// Packing and reading of trace frames.
#include "runtime/trace/frame.hpp"

#include <sstream>

namespace troupe::trace {

namespace {

/// Payloads travel as bin: they are msgpack or JSON of any content.
struct payload {
  std::string_view bytes;
  template <class Packer>
  void msgpack_pack(Packer& packer) const {
    packer.pack_bin(static_cast<std::uint32_t>(bytes.size()));
    const auto* begin = bytes.data();
    packer.pack_bin_body(begin, static_cast<std::uint32_t>(bytes.size()));
  }
};

template <class... Ts>
std::string pack_array(frame_kind kind, const Ts&... values) {
  thread_local msgpack::sbuffer buffer;
  buffer.clear();
  msgpack::packer<msgpack::sbuffer> packer(buffer);
  packer.pack_array(1 + sizeof...(Ts));
  packer.pack(static_cast<std::uint8_t>(kind));
  (packer.pack(values), ...);
  return {buffer.data(), buffer.size()};
}

/// Reads the elements after the kind, in order; throws where one is missing or of another type.
class element_reader {
 public:
  explicit element_reader(const msgpack::object_array& from) : from_(from) {}
  template <class... Ts>
  void read(Ts&... into) {
    (next().convert(into), ...);
  }
  void read_payload(std::string& into) {
    const auto& value = next();
    if (value.type != msgpack::type::BIN) throw msgpack::type_error();
    into.assign(value.via.bin.ptr, value.via.bin.size);
  }

 private:
  const msgpack::object& next() {
    if (at_ >= from_.size) throw msgpack::type_error();
    return from_.ptr[at_++];
  }
  const msgpack::object_array& from_;
  std::uint32_t at_ = 1;
};

void read_elements(element_reader& in, frame& out) {
  switch (out.kind) {
    case frame_kind::opening:
      in.read(out.version, out.program, out.wall_ms);
      in.read_payload(out.bytes);
      break;
    case frame_kind::state:
      in.read(out.component, out.incarnation, out.seq, out.time_us);
      in.read_payload(out.bytes);
      in.read(out.core, out.layout);
      break;
    case frame_kind::object:
      in.read(out.resource, out.namespace_name, out.name, out.uid, out.revision, out.created);
      in.read_payload(out.bytes);
      break;
    case frame_kind::event:
      in.read(out.component, out.incarnation, out.seq, out.time_us, out.alternative);
      in.read_payload(out.bytes);
      in.read(out.causes);
      break;
    case frame_kind::effect:
      in.read(out.component, out.incarnation, out.seq, out.time_us, out.alternative);
      in.read_payload(out.bytes);
      break;
    case frame_kind::dropped:
      in.read(out.count);
      break;
    case frame_kind::hop:
      in.read(out.component, out.time_us, out.what, out.name, out.uid, out.revision, out.id, out.causes, out.marks);
      break;
    case frame_kind::layout:
      in.read(out.layout, out.event_names, out.effect_names);
      break;
  }
}

}  // namespace

std::string pack_opening(std::string_view program, std::uint64_t wall_ms, std::string_view configuration,
                         std::uint32_t version) {
  return pack_array(frame_kind::opening, version, program, wall_ms, payload{configuration});
}

std::string pack_state(const std::string& component, std::uint64_t incarnation, std::uint64_t seq,
                       std::uint64_t time_us, std::string_view bytes, std::string_view core, std::uint64_t layout) {
  return pack_array(frame_kind::state, component, incarnation, seq, time_us, payload{bytes}, core, layout);
}

std::string pack_object(std::string_view resource, std::string_view namespace_name, std::string_view name,
                        std::string_view uid, std::uint64_t revision, std::uint64_t created, std::string_view json) {
  return pack_array(frame_kind::object, resource, namespace_name, name, uid, revision, created, payload{json});
}

std::string pack_event(const std::string& component, std::uint64_t incarnation, std::uint64_t seq,
                       std::uint64_t time_us, std::uint32_t alternative, std::string_view bytes,
                       const std::vector<cause>& causes) {
  return pack_array(frame_kind::event, component, incarnation, seq, time_us, alternative, payload{bytes}, causes);
}

std::string pack_effect(const std::string& component, std::uint64_t incarnation, std::uint64_t seq,
                        std::uint64_t time_us, std::uint32_t alternative, std::string_view bytes) {
  return pack_array(frame_kind::effect, component, incarnation, seq, time_us, alternative, payload{bytes});
}

std::string pack_dropped(std::uint64_t count) { return pack_array(frame_kind::dropped, count); }

std::string pack_layout(const core_layout& layout) {
  return pack_array(frame_kind::layout, layout.fingerprint, layout.events, layout.effects);
}

std::string pack_hop(const hop& one) {
  return pack_array(frame_kind::hop, one.component, one.time_us, one.what, one.subject, one.uid, one.revision, one.id,
                    one.causes, one.marks);
}

std::string pack_again(const frame& one) {
  switch (one.kind) {
    case frame_kind::opening:
      return pack_opening(one.program, one.wall_ms, one.bytes, one.version);
    case frame_kind::state:
      return pack_state(one.component, one.incarnation, one.seq, one.time_us, one.bytes, one.core, one.layout);
    case frame_kind::object:
      return pack_object(one.resource, one.namespace_name, one.name, one.uid, one.revision, one.created, one.bytes);
    case frame_kind::event:
      return pack_event(one.component, one.incarnation, one.seq, one.time_us, one.alternative, one.bytes, one.causes);
    case frame_kind::effect:
      return pack_effect(one.component, one.incarnation, one.seq, one.time_us, one.alternative, one.bytes);
    case frame_kind::dropped:
      return pack_dropped(one.count);
    case frame_kind::hop:
      return pack_hop(
          {one.component, one.time_us, one.what, one.name, one.uid, one.revision, one.id, one.causes, one.marks});
    case frame_kind::layout:
      return pack_layout({one.layout, one.event_names, one.effect_names});
  }
  return {};
}

msgpack::unpack_limit safe_limits() {
  constexpr std::size_t most = std::size_t{1} << 20;         // elements
  constexpr std::size_t most_bytes = std::size_t{64} << 20;  // of one text
  constexpr std::size_t depth = 64;
  return {most, most, most_bytes, most_bytes, most_bytes, depth};
}

bool unpack_frame(const msgpack::object& value, frame& out) {
  out = frame{};
  if (value.type != msgpack::type::ARRAY || value.via.array.size == 0) return false;
  try {
    auto kind = value.via.array.ptr[0].as<std::uint8_t>();
    if (kind > static_cast<std::uint8_t>(frame_kind::layout)) return false;
    out.kind = static_cast<frame_kind>(kind);
    element_reader in(value.via.array);
    read_elements(in, out);
    return true;
  } catch (const msgpack::type_error&) {
    return false;
  }
}

std::string describe_bytes(std::string_view msgpack_bytes) {
  try {
    auto handle = msgpack::unpack(msgpack_bytes.data(), msgpack_bytes.size(), nullptr, nullptr, safe_limits());
    std::ostringstream text;
    text << handle.get();
    return text.str();
  } catch (const std::exception&) {
    return "(" + std::to_string(msgpack_bytes.size()) + " bytes that are no msgpack value)";
  }
}

}  // namespace troupe::trace
