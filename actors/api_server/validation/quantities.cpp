// Quantity arithmetic, sums over containers and the QoS class that follows from them.
#include "actors/api_server/validation/quantities.hpp"

#include <algorithm>

#include "actors/api_server/validation/access.hpp"
#include "messages/schema/codec.hpp"

namespace troupe::api::rules {
namespace {

using wide = quantity::wide;

/// Nano-units of one unit of the suffix; 0 when it is none.
wide scale_of(std::string_view suffix, bool& binary) {
  constexpr wide one = 1000000000;
  binary = suffix.size() == 2 && suffix[1] == 'i';
  if (suffix.empty()) return one;
  constexpr std::string_view big = "KMGTPE";
  if (binary) {
    const auto power = big.find(suffix[0]);
    return power == std::string_view::npos ? 0 : one << (10 * (power + 1));
  }
  if (suffix.size() != 1) return 0;
  if (suffix == "n") return 1;
  if (suffix == "u") return 1000;
  if (suffix == "m") return 1000000;
  const auto power = suffix == "k" ? 0 : big.find(suffix[0]);
  if (power == std::string_view::npos || suffix == "K") return 0;
  wide scale = one;
  for (std::size_t i = 0; i <= power; ++i) scale *= 1000;
  return scale;
}

/// Decimal exponent "e3" or "E-3" as a scale.
wide exponent_scale(std::string_view text) {
  int exponent = 0;
  bool negative = false;
  for (char c : text) {
    if (c == '-') negative = true;
    if (c >= '0' && c <= '9') exponent = std::min(exponent * 10 + (c - '0'), 40);
  }
  exponent = 9 + (negative ? -exponent : exponent);
  wide scale = exponent < 0 ? 0 : 1;
  for (int i = 0; i < std::min(exponent, 27); ++i) scale *= 10;
  return scale;
}

std::string decimal(wide value) {
  std::string out;
  const bool negative = value < 0;
  if (negative) value = -value;
  do {
    out.push_back(static_cast<char>('0' + static_cast<int>(value % 10)));
    value /= 10;
  } while (value > 0);
  if (negative) out.push_back('-');
  std::reverse(out.begin(), out.end());
  return out;
}

void add(resource_sums& sums, std::string_view name, quantity value) {
  auto at = std::lower_bound(sums.begin(), sums.end(), name,
                             [](const auto& entry, std::string_view key) { return entry.first < key; });
  if (at == sums.end() || at->first != name) {
    sums.insert(at, {std::string(name), value});
    return;
  }
  at->second.nanos += value.nanos;
}

void add_all(resource_sums& sums, const node* list) {
  each_member(list, [&](std::string_view name, const node& value) { add(sums, name, to_quantity(&value)); });
}

void take_larger(resource_sums& sums, const resource_sums& other) {
  for (const auto& [name, value] : other) {
    auto at = std::find_if(sums.begin(), sums.end(), [&](const auto& entry) { return entry.first == name; });
    if (at == sums.end())
      add(sums, name, value);
    else if (at->second < value)
      at->second = value;
  }
}

/// Sums of cpu and memory, the two resources that decide a pod's class.
struct qos_sums {
  quantity value[2];
  bool known[2] = {};
};

/// Adds the positive cpu and memory entries of one side and says how many there were.
int add_qos(const node* list, qos_sums& sums) {
  constexpr std::string_view names[2] = {"cpu", "memory"};
  int kinds = 0;
  for (int i = 0; i < 2; ++i) {
    const auto value = to_quantity(get(list, names[i]));
    if (value.nanos <= 0) continue;
    sums.value[i].nanos += value.nanos;
    sums.known[i] = true;
    ++kinds;
  }
  return kinds;
}

}  // namespace

quantity parse_quantity(std::string_view text) {
  quantity out;
  std::size_t at = 0;
  bool negative = false;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) negative = text[at++] == '-';
  wide digits = 0, fraction = 1;
  bool dot = false;
  for (; at < text.size() && ((text[at] >= '0' && text[at] <= '9') || (text[at] == '.' && !dot)); ++at) {
    if (text[at] == '.') {
      dot = true;
    } else if (digits < (wide{1} << 90)) {
      digits = digits * 10 + (text[at] - '0');
      if (dot) fraction *= 10;
    }
  }
  const auto suffix = text.substr(at);
  const bool exponent = suffix.size() > 1 && (suffix[0] == 'e' || suffix[0] == 'E') && suffix[1] != 'i';
  const wide scale = exponent ? exponent_scale(suffix) : scale_of(suffix, out.binary);
  constexpr wide limit = (wide{1} << 63) * 1000000000;
  if (scale > 0 && digits > limit / scale * fraction) {
    out.nanos = limit;
  } else {
    const wide product = digits * scale;
    out.nanos = product / fraction + (product % fraction != 0);  // precision below a nano-unit is rounded up
  }
  if (negative) out.nanos = -out.nanos;
  return out;
}

quantity to_quantity(const node* value) {
  if (!value) return {};
  if (value->is_string()) return parse_quantity(value->string());
  if (value->is_integer()) return {quantity::wide{value->integer()} * 1000000000, false};
  return value->is_number() ? parse_quantity(to_json(*value)) : quantity{};
}

std::string quantity::text() const {
  std::string plain = whole() ? decimal(nanos / 1000000000) : decimal(nanos) + "n";
  if (binary && whole()) {
    wide units = nanos / 1000000000;
    std::size_t power = 0;
    while (units != 0 && units % 1024 == 0 && power < 6) units /= 1024, ++power;
    if (power > 0) return decimal(units) + "KMGTPE"[power - 1] + "i";
  }
  std::string canonical;
  return schema::canonical_quantity(plain, canonical) ? canonical : plain;
}

resource_sums aggregate_containers(const node& pod_spec, std::string_view side) {
  resource_sums total, sidecars, largest_init;
  each(get(&pod_spec, "containers"), [&](const node& c, std::size_t) { add_all(total, get(&c, "resources", side)); });
  each(get(&pod_spec, "initContainers"), [&](const node& c, std::size_t) {
    const node* list = get(&c, "resources", side);
    resource_sums here = sidecars;
    add_all(here, list);
    if (rules::text(&c, "restartPolicy") == "Always") {
      add_all(total, list);
      sidecars = here;
    }
    take_larger(largest_init, here);
  });
  take_larger(total, largest_init);
  return total;
}

std::string_view pod_qos(const node& pod_spec) {
  qos_sums requests, limits;
  bool guaranteed = true;
  const auto look = [&](const node* resources) {
    add_qos(get(resources, "requests"), requests);
    if (add_qos(get(resources, "limits"), limits) != 2) guaranteed = false;
  };
  if (const node* pod_level = get(&pod_spec, "resources"); pod_level && !pod_level->empty()) {
    look(pod_level);
  } else {
    for (std::string_view list : {"containers", "initContainers"})
      each(get(&pod_spec, list), [&](const node& c, std::size_t) { look(get(&c, "resources")); });
  }
  bool any = false;
  for (int i = 0; i < 2; ++i) {
    any = any || requests.known[i] || limits.known[i];
    guaranteed = guaranteed && requests.known[i] == limits.known[i] && requests.value[i] == limits.value[i];
  }
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

}  // namespace troupe::api::rules
