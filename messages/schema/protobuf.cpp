// See protobuf.hpp. Wire format: protobuf.dev/programming-guides/encoding; special types: apimachinery's
// generated.proto.
#include "messages/schema/protobuf.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <ctime>
#include <string>

#include "messages/schema/scalars.hpp"

namespace troupe::schema {
namespace {

constexpr int max_depth = 128;

/// Reads one message's fields in order. After a failure every read fails.
class wire_reader {
 public:
  explicit wire_reader(std::string_view bytes) : rest_(bytes) {}
  bool failed() const { return failed_; }
  bool done() const { return rest_.empty(); }

  /// The next field's number and wire type; false at the end or at a failure.
  bool next(std::uint32_t& number, int& wire) {
    if (rest_.empty() || failed_) return false;
    auto tag = varint();
    number = static_cast<std::uint32_t>(tag >> 3);
    wire = static_cast<int>(tag & 7);
    if (number == 0 || tag > 0xffffffffu) failed_ = true;
    return !failed_;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      auto byte = static_cast<std::uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    failed_ = true;
    return 0;
  }
  std::uint64_t fixed(std::size_t size) {
    std::uint64_t value = 0;
    if (rest_.size() < size) {
      failed_ = true;
      return 0;
    }
    std::memcpy(&value, rest_.data(), size);  // little endian, as the wire
    rest_.remove_prefix(size);
    return value;
  }
  std::string_view bytes() {
    auto size = varint();
    if (failed_ || size > rest_.size()) {
      failed_ = true;
      return {};
    }
    auto out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  void skip(int wire) {
    if (wire == 0)
      varint();
    else if (wire == 1)
      fixed(8);
    else if (wire == 2)
      bytes();
    else if (wire == 5)
      fixed(4);
    else
      failed_ = true;  // groups are not used
  }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

int wire_of(value_kind kind) {
  switch (kind) {
    case value_kind::boolean:
    case value_kind::int32:
    case value_kind::int64:
      return 0;
    case value_kind::real:
      return 1;
    default:
      return 2;
  }
}

std::string time_text(std::int64_t seconds, std::int64_t nanos, bool micro) {
  auto when = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&when, &parts);
  char text[64];
  auto size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::string out(text, size);
  if (micro) {
    auto digits = std::to_string(1'000'000 + nanos / 1000);
    out += "." + digits.substr(1);
  }
  return out + "Z";
}

std::string go_duration(std::int64_t nanos) {
  const auto bits = static_cast<std::uint64_t>(nanos);
  return duration_text(nanos < 0 ? 0 - bits : bits, nanos < 0);
}

class decoder {
 public:
  bool message(document& doc, node& into, std::uint16_t index, std::string_view bytes, int depth,
               std::uint16_t outer = 0, std::uint16_t inner = 0) {
    if (depth > max_depth) return false;
    if (!into.is_object()) doc.make_object(into);
    wire_reader in(bytes);
    std::uint32_t number;
    int wire;
    while (in.next(number, wire)) {
      if (const auto* found = find(index, number, outer, inner)) {
        if (!field_value(doc, into, *found, in, wire, depth)) return false;
        continue;
      }
      bool nested = wire == 2 && inner == 0 && holds_inlined(index, number, outer);
      if (!nested) {
        in.skip(wire);
        continue;
      }
      auto part = in.bytes();
      auto first = outer ? outer : static_cast<std::uint16_t>(number);
      auto second = outer ? static_cast<std::uint16_t>(number) : std::uint16_t{0};
      if (in.failed() || !message(doc, into, index, part, depth + 1, first, second)) return false;
    }
    return !in.failed();
  }

 private:
  static std::span<const inlined_field> inlined_of(std::uint16_t index) {
    auto all = inlined_fields();
    auto [first, last] = std::equal_range(all.begin(), all.end(), inlined_field{index, 0, 0, 0},
                                          [](const auto& a, const auto& b) { return a.type < b.type; });
    return {first, last};
  }
  static const field* find(std::uint16_t index, std::uint32_t number, std::uint16_t outer, std::uint16_t inner) {
    auto inlined = inlined_of(index);
    auto fields = types()[index].fields;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (fields[i].number != number) continue;
      std::uint16_t a = 0, b = 0;
      for (const auto& one : inlined)
        if (one.ordinal == i) {
          a = one.outer;
          b = one.inner;
        }
      if (a == outer && b == inner) return &fields[i];
    }
    return nullptr;
  }
  static bool holds_inlined(std::uint16_t index, std::uint32_t number, std::uint16_t outer) {
    for (const auto& one : inlined_of(index))
      if (outer == 0 ? one.outer == number : one.outer == outer && one.inner == number) return true;
    return false;
  }

  bool field_value(document& doc, node& into, const field& what, wire_reader& in, int wire, int depth) {
    auto expected = wire_of(what.kind);
    if (what.form == shape::list) {
      auto& list = doc.set(into, what.name);
      if (!list.is_array()) doc.make_array(list);
      if (wire == 2 && expected != 2) {  // packed, which readers must accept
        wire_reader packed(in.bytes());
        return !in.failed() && all_packed(doc, list, what, packed);
      }
      if (wire != expected) return false;
      return value(doc, doc.append(list), what, in, depth);
    }
    if (what.form == shape::map || what.form == shape::map_of_lists)
      return wire == 2 && entry(doc, into, what, in, depth);
    if (wire != expected) return false;
    auto& target = doc.set(into, what.name);
    if (!value(doc, target, what, in, depth)) return false;
    // Go writes zero values of plain fields; in JSON they would not be there.
    if (!what.pointer && is_zero(target)) doc.remove(into, what.name);
    return true;
  }

  static bool is_zero(const node& value) {
    return value.is_null() || (value.is_string() && value.string().empty()) ||
           (value.is_integer() && value.integer() == 0) || (value.is_boolean() && !value.boolean());
  }

  // The reader's end is its own: an empty packed list is one.
  bool all_packed(document& doc, node& list, const field& what, wire_reader& packed) {
    while (!packed.failed() && !packed.done()) {
      if (!value(doc, doc.append(list), what, packed, 0)) return false;
    }
    return !packed.failed();
  }

  bool entry(document& doc, node& into, const field& what, wire_reader& in, int depth) {
    wire_reader pair(in.bytes());
    if (in.failed()) return false;
    auto& map = doc.set(into, what.name);
    if (!map.is_object()) doc.make_object(map);
    std::string_view key, bytes;
    std::uint64_t scalar = 0;
    std::uint32_t number;
    int wire;
    while (pair.next(number, wire)) {
      if (number == 1 && wire == 2)
        key = pair.bytes();
      else if (number == 2 && wire == 2)
        bytes = pair.bytes();
      else if (number == 2 && wire == 0)
        scalar = pair.varint();
      else
        pair.skip(wire);
    }
    if (pair.failed()) return false;
    auto& target = doc.set(map, key);
    if (what.form == shape::map_of_lists) return wrapped_list(doc, target, bytes);
    if (wire_of(what.kind) == 0) return scalar_value(doc, target, what.kind, scalar);
    return sized_value(doc, target, what, bytes, depth);
  }

  // A message whose only field is `repeated string items = 1`.
  static bool wrapped_list(document& doc, node& target, std::string_view bytes) {
    doc.make_array(target);
    wire_reader in(bytes);
    std::uint32_t number;
    int wire;
    while (in.next(number, wire)) {
      if (number == 1 && wire == 2)
        doc.assign(doc.append(target), in.bytes());
      else
        in.skip(wire);
    }
    return !in.failed();
  }

  bool value(document& doc, node& target, const field& what, wire_reader& in, int depth) {
    if (wire_of(what.kind) == 0) {
      auto number = in.varint();
      return !in.failed() && scalar_value(doc, target, what.kind, number);
    }
    if (wire_of(what.kind) == 1) {
      auto bits = in.fixed(8);
      doc.assign(target, std::bit_cast<double>(bits));
      return !in.failed();
    }
    auto bytes = in.bytes();
    return !in.failed() && sized_value(doc, target, what, bytes, depth);
  }

  static bool scalar_value(document& doc, node& target, value_kind kind, std::uint64_t number) {
    if (kind == value_kind::boolean)
      doc.assign(target, number != 0);
    else
      doc.assign(target, static_cast<std::int64_t>(number));
    return true;
  }

  bool sized_value(document& doc, node& target, const field& what, std::string_view bytes, int depth) {
    switch (what.kind) {
      case value_kind::structure:
        return message(doc, target, what.type, bytes, depth + 1);
      case value_kind::string:
        doc.assign(target, bytes);
        return true;
      case value_kind::bytes:
        doc.assign(target, std::string_view(to_base64(bytes)));
        return true;
      case value_kind::time:
      case value_kind::micro_time:
        return time(doc, target, bytes, what.kind == value_kind::micro_time);
      case value_kind::duration:
      case value_kind::quantity:
      case value_kind::int_or_string:
      case value_kind::raw:
      case value_kind::any:
        return special(doc, target, what.kind, bytes);
      default:
        return false;  // apiextensions' unions: no client sends them in this form
    }
  }

  static bool time(document& doc, node& target, std::string_view bytes, bool micro) {
    wire_reader in(bytes);
    std::int64_t seconds = 0, nanos = 0;
    std::uint32_t number;
    int wire;
    bool any = false;
    while (in.next(number, wire)) {
      any = true;
      if (number == 1 && wire == 0)
        seconds = static_cast<std::int64_t>(in.varint());
      else if (number == 2 && wire == 0)
        nanos = static_cast<std::int64_t>(in.varint());
      else
        in.skip(wire);
    }
    // The zero time is an empty message.
    if (any) doc.assign(target, std::string_view(time_text(seconds, nanos, micro)));
    return !in.failed();
  }

  // Messages of few scalar fields: quantity {string 1}, duration {int64 1}, intOrString {type 1, int 2, string 3}, raw
  // JSON {bytes 1}.
  static bool special(document& doc, node& target, value_kind kind, std::string_view bytes) {
    wire_reader in(bytes);
    std::uint64_t numbers[4] = {};
    std::string_view texts[4];
    std::uint32_t number;
    int wire;
    while (in.next(number, wire)) {
      if (number < 4 && wire == 0)
        numbers[number] = in.varint();
      else if (number < 4 && wire == 2)
        texts[number] = in.bytes();
      else
        in.skip(wire);
    }
    if (in.failed()) return false;
    if (kind == value_kind::quantity)
      doc.assign(target, texts[1].empty() ? std::string_view("0") : texts[1]);
    else if (kind == value_kind::duration)
      doc.assign(target, std::string_view(go_duration(static_cast<std::int64_t>(numbers[1]))));
    else if (kind == value_kind::int_or_string && numbers[1] == 1)
      doc.assign(target, texts[3]);
    else if (kind == value_kind::int_or_string)
      doc.assign(target, static_cast<std::int64_t>(numbers[2]));
    else if (!texts[1].empty()) {
      auto parsed = document::parse(texts[1]);
      if (!parsed) return false;
      target = doc.clone(parsed->root());
    }
    return true;
  }
};

status broken(std::string_view what) { return bad_request("proto: " + std::string(what)); }

}  // namespace

result<protobuf_envelope> open_envelope(std::string_view bytes) {
  constexpr std::string_view magic{"k8s\0", 4};
  if (!bytes.starts_with(magic))
    return broken("the body does not begin with the bytes that mark Kubernetes' protobuf form");
  wire_reader in(bytes.substr(magic.size()));
  protobuf_envelope out;
  std::uint32_t number;
  int wire;
  while (in.next(number, wire)) {
    if (number == 1 && wire == 2) {
      wire_reader meta(in.bytes());
      while (meta.next(number, wire)) {
        if (number == 1 && wire == 2)
          out.api_version = meta.bytes();
        else if (number == 2 && wire == 2)
          out.kind = meta.bytes();
        else
          meta.skip(wire);
      }
      if (meta.failed()) return broken("the envelope's type is broken");
    } else if (number == 2 && wire == 2) {
      out.raw = in.bytes();
    } else {
      in.skip(wire);
    }
  }
  if (in.failed()) return broken("unexpected end of the envelope");
  return out;
}

result<document> from_protobuf(std::string_view bytes, std::uint16_t type) {
  document out;
  out.make_object(out.root());
  if (!decoder().message(out, out.root(), type, bytes, 0))
    return broken("the body is not a message of type " + std::string(types()[type].name));
  return out;
}

result<document> parse_protobuf(std::string_view bytes, std::uint16_t expected) {
  auto opened = open_envelope(bytes);
  if (!opened) return opened.error();
  auto type = expected;
  if (!opened->kind.empty()) {
    auto slash = opened->api_version.find('/');
    auto group = slash == std::string_view::npos ? std::string_view() : opened->api_version.substr(0, slash);
    auto version = slash == std::string_view::npos ? opened->api_version : opened->api_version.substr(slash + 1);
    if (auto index = find_kind(group, version, opened->kind); index != no_index) type = resources()[index].type;
    if (opened->kind == types()[expected].name) type = expected;
    if (opened->kind == "DeleteOptions") type = find_type("meta/v1.DeleteOptions");
  }
  auto decoded = from_protobuf(opened->raw, type);
  if (!decoded) return decoded;
  if (!opened->kind.empty()) {
    decoded->set(decoded->root(), "kind", opened->kind);
    decoded->set(decoded->root(), "apiVersion", opened->api_version);
  }
  return decoded;
}

}  // namespace troupe::schema
