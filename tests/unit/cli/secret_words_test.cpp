// Secrets among the words of a command line.
#include "cli/secret_words.hpp"

#include <doctest/doctest.h>

using namespace troupe;

TEST_CASE("a token is read and is no longer among the words that everybody sees") {
  std::vector<std::string> given = {
      "troupe",       "node",       "--token", "abcdef.secret", "--ca-hash", "sha256:1", "--token=abcdef.secret",
      "--token-file", "/run/token", "--token"};
  std::vector<char*> values;
  for (auto& word : given) values.push_back(word.data());
  auto before = given;
  auto words = cli::take_words(static_cast<int>(values.size()), values.data());
  CHECK(words == std::vector<std::string>(before.begin() + 1, before.end()));
  CHECK(given[3] == "xxxxxxxxxxxxx");
  CHECK(given[6] == "--token=xxxxxxxxxxxxx");
  for (std::size_t i : {0, 1, 2, 4, 5, 7, 8, 9}) CHECK(given[i] == before[i]);
}
