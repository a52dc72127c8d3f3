// Small facts about documents and stored objects.
#include "actors/api_server/registry/object_text.hpp"

#include <algorithm>
#include <cstdio>

namespace troupe::api {

std::string_view text_at(const node& parent, std::string_view key) {
  auto* value = parent.find(key);
  return value ? value->string() : std::string_view();
}

node& metadata_of(document& doc) {
  auto& metadata = doc.set(doc.root(), "metadata");
  if (!metadata.is_object()) doc.make_object(metadata);
  return metadata;
}

const node* metadata_of(const node& root) { return root.find("metadata"); }

std::string_view metadata_text(const node& root, std::string_view key) {
  auto* metadata = root.find("metadata");
  return metadata ? text_at(*metadata, key) : std::string_view();
}

std::string time_text(std::int64_t ms) {
  auto seconds = ms / 1000 - (ms % 1000 < 0);
  auto days = seconds / 86400 - (seconds % 86400 < 0);
  auto rest = static_cast<int>(seconds - days * 86400);
  auto z = days + 719468;
  auto era = (z >= 0 ? z : z - 146096) / 146097;
  auto doe = z - era * 146097;
  auto yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  auto doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  auto mp = (5 * doy + 2) / 153;
  auto day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  auto month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  auto year = static_cast<int>(yoe + era * 400 + (month <= 2));
  std::string text = "0000-00-00T00:00:00Z";
  auto put = [&](std::size_t at, std::int64_t number, int digits) {
    for (; digits > 0; --digits, number /= 10)
      text[at + static_cast<std::size_t>(digits) - 1] = static_cast<char>('0' + number % 10);
  };
  put(0, year, 4);
  put(5, month, 2);
  put(8, day, 2);
  put(11, rest / 3600, 2);
  put(14, rest / 60 % 60, 2);
  put(17, rest % 60, 2);
  return text;
}

bool same_as_stored(const object& current, std::string_view stored) {
  auto have = current.json.view();
  auto spliced = std::string_view("\"resourceVersion\":\"\",").size() + std::to_string(current.revision).size();
  if (have.size() != stored.size() + spliced) return false;
  auto head =
      static_cast<std::size_t>(std::mismatch(stored.begin(), stored.end(), have.begin()).first - stored.begin());
  auto tail =
      static_cast<std::size_t>(std::mismatch(stored.rbegin(), stored.rend(), have.rbegin()).first - stored.rbegin());
  return head + tail >= stored.size();
}

void carry_over(document& doc, node& next, const node& previous, std::string_view key) {
  if (auto* value = previous.find(key))
    doc.set(next, key, doc.clone(*value));
  else
    doc.remove(next, key);
}

std::string generate_name(std::string_view base, std::uint64_t random) {
  constexpr std::string_view alphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string out(base.substr(0, 58));
  for (int i = 0; i < 5; ++i, random /= alphabet.size()) out += alphabet[random % alphabet.size()];
  return out;
}

}  // namespace troupe::api
