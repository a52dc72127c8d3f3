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
    packer.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
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
      in.read(out.component, out.time_us, out.what, out.name, out.uid, out.revision, out.causes);
      break;
  }
}

}  // namespace

std::string pack_opening(std::string_view program, std::uint64_t wall_ms, std::string_view configuration) {
  return pack_array(frame_kind::opening, format_version, program, wall_ms, payload{configuration});
}

std::string pack_state(const std::string& component, std::uint64_t incarnation, std::uint64_t seq,
                       std::uint64_t time_us, std::string_view bytes) {
  return pack_array(frame_kind::state, component, incarnation, seq, time_us, payload{bytes});
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

std::string pack_hop(const std::string& component, std::uint64_t time_us, std::string_view what,
                     std::string_view subject, std::string_view uid, std::uint64_t revision,
                     const std::vector<cause>& causes) {
  return pack_array(frame_kind::hop, component, time_us, what, subject, uid, revision, causes);
}

bool unpack_frame(const msgpack::object& value, frame& out) {
  out = frame{};
  if (value.type != msgpack::type::ARRAY || value.via.array.size == 0) return false;
  try {
    auto kind = value.via.array.ptr[0].as<std::uint8_t>();
    if (kind > static_cast<std::uint8_t>(frame_kind::hop)) return false;
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
    auto handle = msgpack::unpack(msgpack_bytes.data(), msgpack_bytes.size());
    std::ostringstream text;
    text << handle.get();
    return text.str();
  } catch (const std::exception&) {
    return "(" + std::to_string(msgpack_bytes.size()) + " bytes that are no msgpack value)";
  }
}

}  // namespace troupe::trace
