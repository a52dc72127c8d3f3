// See secret_words.hpp.
#include "cli/secret_words.hpp"

#include <cstring>
#include <string_view>

namespace troupe::cli {
namespace {

void blank(char* from) { std::memset(from, 'x', std::strlen(from)); }

}  // namespace

std::vector<std::string> take_words(int count, char** values) {
  constexpr std::string_view flag = "--token", with_value = "--token=";
  std::vector<std::string> out;
  for (int i = 1; i < count; ++i) {
    out.emplace_back(values[i]);
    if (out.back().starts_with(with_value)) blank(values[i] + with_value.size());
    if (out.size() > 1 && out[out.size() - 2] == flag) blank(values[i]);
  }
  return out;
}

}  // namespace troupe::cli
