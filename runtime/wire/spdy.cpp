// See spdy.hpp.
#include "runtime/wire/spdy.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include <zlib.h>

namespace troupe::wire {
namespace {

// Frame types of SPDY/3, 2.6.
enum frame_type : std::uint32_t {
  syn_stream = 1,
  syn_reply = 2,
  rst_stream = 3,
  settings = 4,
  ping_frame = 6,
  goaway_frame = 7,
  headers_frame = 8,
  window_update = 9
};
constexpr std::uint32_t version = 3;
constexpr std::uint8_t flag_fin = 1;

constexpr std::size_t max_control_frame = 64 << 10;
constexpr std::size_t max_header_block = 64 << 10;  // decompressed
constexpr std::uint32_t max_headers = 64;

// SPDY/3, 2.6.10.1: words with their lengths before them, then a text.
constexpr std::string_view dictionary_words =
    "options|head|post|put|delete|trace|accept|accept-charset|accept-encoding|accept-language|accept-ranges|age|"
    "allow|authorization|cache-control|connection|content-base|content-encoding|content-language|content-length|"
    "content-location|content-md5|content-range|content-type|date|etag|expect|expires|from|host|if-match|"
    "if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|location|max-forwards|pragma|"
    "proxy-authenticate|proxy-authorization|range|referer|retry-after|server|te|trailer|transfer-encoding|"
    "upgrade|user-agent|vary|via|warning|www-authenticate|method|get|status|200 OK|version|HTTP/1.1|url|public|"
    "set-cookie|keep-alive|origin|";
constexpr std::string_view dictionary_text =
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritat"
    "ive Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found5"
    "00 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct N"
    "ov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,applic"
    "ation/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf"
    "-8charset=iso-8859-1,utf-,*,enq=0.";

void put_u32(std::string& out, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 0xff);
}

std::uint32_t u32_at(std::string_view text, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<unsigned char>(text[at + i]);
  return number;
}

const std::string& dictionary() {
  static const std::string made = [] {
    std::string out;
    for (auto rest = dictionary_words; !rest.empty();) {
      auto end = rest.find('|');
      put_u32(out, static_cast<std::uint32_t>(end));
      out += rest.substr(0, end);
      rest.remove_prefix(end + 1);
    }
    return out.append(dictionary_text);
  }();
  return made;
}

const Bytef* bytes_of(std::string_view text) { return reinterpret_cast<const Bytef*>(text.data()); }

}  // namespace

std::string_view spdy_header(const spdy_headers& in, std::string_view name) {
  for (auto& [key, value] : in)
    if (key == name) return value;
  return {};
}

struct spdy_decoder::inflater {
  z_stream stream{};
  inflater() {
    if (inflateInit(&stream) != Z_OK) throw std::runtime_error("inflateInit failed");
  }
  ~inflater() { inflateEnd(&stream); }
  inflater(const inflater&) = delete;
  inflater& operator=(const inflater&) = delete;

  /// Appends what the piece holds; false when it is broken or holds more than a block may.
  bool unpack(std::string_view packed, std::string& out) {
    std::array<char, 4096> buffer;
    stream.next_in = const_cast<Bytef*>(bytes_of(packed));
    stream.avail_in = static_cast<uInt>(packed.size());
    for (;;) {
      stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream.avail_out = static_cast<uInt>(buffer.size());
      int outcome = inflate(&stream, Z_SYNC_FLUSH);
      if (outcome == Z_NEED_DICT) {
        auto& words = dictionary();
        if (inflateSetDictionary(&stream, bytes_of(words), static_cast<uInt>(words.size())) != Z_OK) return false;
        continue;
      }
      if (outcome == Z_BUF_ERROR && stream.avail_in == 0) return true;  // all was taken before
      if (outcome != Z_OK) return false;
      out.append(buffer.data(), buffer.size() - stream.avail_out);
      if (out.size() > max_header_block) return false;
      if (stream.avail_in == 0 && stream.avail_out > 0) return true;
    }
  }
};

spdy_decoder::spdy_decoder(spdy_sink& to) : to_(to), inflater_(std::make_unique<inflater>()) {}
spdy_decoder::~spdy_decoder() = default;

bool spdy_decoder::feed(std::string_view data) {
  while (!failed_ && !data.empty()) {
    if (!in_frame_) {
      auto taken = std::min<std::size_t>(8 - head_.size(), data.size());
      head_.append(data.substr(0, taken));
      data.remove_prefix(taken);
      if (head_.size() < 8) break;
      failed_ = !begin_frame();
      continue;
    }
    if (control_)
      failed_ = !take_control(data);
    else
      take_data(data);
  }
  return !failed_;
}

bool spdy_decoder::begin_frame() {
  word_ = u32_at(head_, 0);
  auto second = u32_at(head_, 4);
  head_.clear();
  control_ = (word_ & 0x80000000U) != 0;
  flags_ = static_cast<std::uint8_t>(second >> 24);
  left_ = second & 0xffffffU;
  in_frame_ = true;
  if (!control_) {
    if (word_ == 0) return false;
    if (left_ > 0) return true;
    in_frame_ = false;
    to_.on_data(word_, {}, (flags_ & flag_fin) != 0);
    return true;
  }
  if ((word_ >> 16 & 0x7fffU) != version || left_ > max_control_frame) return false;
  if (left_ > 0) return true;
  in_frame_ = false;
  return on_control();
}

void spdy_decoder::take_data(std::string_view& data) {
  auto piece = data.substr(0, left_);
  data.remove_prefix(piece.size());
  left_ -= piece.size();
  if (left_ == 0) in_frame_ = false;
  to_.on_data(word_, piece, left_ == 0 && (flags_ & flag_fin) != 0);
}

bool spdy_decoder::take_control(std::string_view& data) {
  auto piece = data.substr(0, left_);
  body_.append(piece);
  data.remove_prefix(piece.size());
  left_ -= piece.size();
  if (left_ > 0) return true;
  in_frame_ = false;
  bool fine = on_control();
  body_.clear();
  return fine;
}

bool spdy_decoder::on_control() {
  auto type = word_ & 0xffffU;
  std::string_view body = body_;
  bool fin = (flags_ & flag_fin) != 0;
  auto least = type == syn_stream ? 10U : type == settings ? 0U : 4U;
  if (type >= syn_stream && type <= window_update && body.size() < least) return false;
  auto id = body.size() >= 4 ? u32_at(body, 0) & 0x7fffffffU : 0;
  spdy_headers headers;
  switch (type) {
    case syn_stream:
      if (id == 0 || !read_headers(body.substr(10), headers)) return false;
      to_.on_stream(id, headers, fin);
      return true;
    case syn_reply:
      if (id == 0 || !read_headers(body.substr(4), headers)) return false;
      to_.on_reply(id, fin);
      return true;
    case rst_stream:
      to_.on_reset(id);
      return true;
    case headers_frame:  // nobody uses them, but the compression's state goes on
      if (!read_headers(body.substr(4), headers)) return false;
      if (fin) to_.on_data(id, {}, true);
      return true;
    case ping_frame:
      to_.on_ping(u32_at(body, 0));
      return true;
    case goaway_frame:
      to_.on_goaway();
      return true;
    default:  // settings, window updates, types to come
      return true;
  }
}

bool spdy_decoder::read_headers(std::string_view packed, spdy_headers& into) {
  std::string text;
  if (!inflater_->unpack(packed, text) || text.size() < 4) return false;
  auto count = u32_at(text, 0);
  if (count > max_headers) return false;
  std::size_t at = 4;
  auto word = [&](std::string& out) {
    if (text.size() - at < 4) return false;
    auto size = u32_at(text, at);
    at += 4;
    if (size > text.size() - at) return false;
    out = text.substr(at, size);
    at += size;
    return true;
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    auto& [name, value] = into.emplace_back();
    if (!word(name) || !word(value)) return false;
  }
  return true;
}

struct spdy_encoder::deflater {
  z_stream stream{};
  deflater() {
    auto& words = dictionary();
    if (deflateInit(&stream, Z_BEST_COMPRESSION) != Z_OK ||
        deflateSetDictionary(&stream, bytes_of(words), static_cast<uInt>(words.size())) != Z_OK)
      throw std::runtime_error("deflateInit failed");
  }
  ~deflater() { deflateEnd(&stream); }
  deflater(const deflater&) = delete;
  deflater& operator=(const deflater&) = delete;
};

spdy_encoder::spdy_encoder() = default;
spdy_encoder::~spdy_encoder() = default;

std::string spdy_encoder::pack(const spdy_headers& headers) {
  if (!deflater_) deflater_ = std::make_unique<deflater>();
  std::string plain;
  put_u32(plain, static_cast<std::uint32_t>(headers.size()));
  for (auto& [name, value] : headers) {
    put_u32(plain, static_cast<std::uint32_t>(name.size()));
    plain += name;
    put_u32(plain, static_cast<std::uint32_t>(value.size()));
    plain += value;
  }
  auto& z = deflater_->stream;
  std::string out;
  std::array<char, 1024> buffer;
  z.next_in = const_cast<Bytef*>(bytes_of(plain));
  z.avail_in = static_cast<uInt>(plain.size());
  do {
    z.next_out = reinterpret_cast<Bytef*>(buffer.data());
    z.avail_out = static_cast<uInt>(buffer.size());
    deflate(&z, Z_SYNC_FLUSH);
    out.append(buffer.data(), buffer.size() - z.avail_out);
  } while (z.avail_out == 0);
  return out;
}

namespace {

void put_control(std::string& out, frame_type type, std::size_t size) {
  put_u32(out, 0x80000000U | version << 16 | type);
  put_u32(out, static_cast<std::uint32_t>(size));
}

}  // namespace

void spdy_encoder::stream(std::string& out, std::uint32_t id, const spdy_headers& headers) {
  auto packed = pack(headers);
  put_control(out, syn_stream, packed.size() + 10);
  put_u32(out, id);
  put_u32(out, 0);      // of no other stream
  out.append(2, '\0');  // priority and slot
  out += packed;
}

void spdy_encoder::reply(std::string& out, std::uint32_t id) {
  auto packed = pack({});
  put_control(out, syn_reply, packed.size() + 4);
  put_u32(out, id);
  out += packed;
}

void spdy_encoder::data(std::string& out, std::uint32_t id, std::string_view payload, bool fin) {
  put_u32(out, id);
  put_u32(out, (fin ? 1U << 24 : 0U) | static_cast<std::uint32_t>(payload.size()));
  out += payload;
}

void spdy_encoder::reset(std::string& out, std::uint32_t id, spdy_reset why) {
  put_control(out, rst_stream, 8);
  put_u32(out, id);
  put_u32(out, static_cast<std::uint32_t>(why));
}

void spdy_encoder::ping(std::string& out, std::uint32_t id) {
  put_control(out, ping_frame, 4);
  put_u32(out, id);
}

void spdy_encoder::goaway(std::string& out, std::uint32_t last_stream) {
  put_control(out, goaway_frame, 8);
  put_u32(out, last_stream);
  put_u32(out, 0);  // all is well
}

}  // namespace troupe::wire
