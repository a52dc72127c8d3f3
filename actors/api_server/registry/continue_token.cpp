// Continue tokens.
#include "actors/api_server/registry/continue_token.hpp"

#include "actors/api_server/registry/object_text.hpp"
#include "messages/document.hpp"

namespace troupe::api {

namespace {
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

std::string base64url(std::string_view bytes) {
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (unsigned char c : bytes) {
    bits = (bits << 8) | c;
    for (held += 8; held >= 6; held -= 6) out += alphabet[(bits >> (held - 6)) & 63];
  }
  if (held > 0) out += alphabet[(bits << (6 - held)) & 63];
  return out;
}

bool from_base64url(std::string_view text, std::string& out) {
  std::uint32_t bits = 0;
  int held = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (char c : text) {
    auto value = alphabet.find(c);
    if (value == std::string_view::npos) return false;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>((bits >> held) & 255);
  }
  return true;
}

std::string encode_continue(const continue_point& point) {
  std::string json = "{\"v\":\"meta.k8s.io/v1\",\"rv\":" + std::to_string(point.revision) + ",\"start\":";
  append_json_string(json, point.start);
  return base64url(json + "}");
}

result<continue_point> decode_continue(std::string_view token) {
  auto bad = [](std::string_view why) { return bad_request("continue key is not valid: " + std::string(why)); };
  std::string json;
  if (!from_base64url(token, json)) return bad("illegal base64 data");
  auto parsed = document::parse(json);
  if (!parsed) return bad(parsed.error().message);
  auto& root = parsed->root();
  if (text_at(root, "v") != "meta.k8s.io/v1")
    return bad("server does not recognize this encoded version \"" + std::string(text_at(root, "v")) + "\"");
  auto* revision = root.find("rv");
  continue_point out;
  out.revision = revision ? revision->integer() : 0;
  out.start = text_at(root, "start");
  if (out.revision == 0) return bad("incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
  if (out.start.empty()) return bad("encoded start key empty (version meta.k8s.io/v1)");
  if (out.start.find("..") != std::string::npos) return bad(out.start);
  return out;
}

}  // namespace troupe::api
