// Objects that the cloud controllers look at, and what they note.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/controller_manager/fixture.hpp"

namespace troupe::cloud::testing {

using controllers::testing::stage;
using controllers::testing::text;

inline std::string node_json(const std::string& name, const char* ready, const std::string& spec = "",
                             const std::string& labels = "") {
  return R"({"apiVersion":"v1","kind":"Node","metadata":{"name":")" + name + R"(","uid":"u-)" + name +
         R"(","labels":{)" + labels + R"(}},"spec":{)" + spec +
         R"(},"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.)" + std::string(1, name.back()) +
         R"("},{"type":"Hostname","address":")" + name + R"("}],"conditions":[{"type":"Ready","status":")" + ready +
         R"("}]}})";
}

inline std::vector<std::string> notes(const std::vector<controller::effect>& effects) {
  std::vector<std::string> out;
  for (const auto& one : effects)
    if (const auto* told = std::get_if<controller::note>(&one)) out.push_back(told->reason + ": " + told->message);
  return out;
}

}  // namespace troupe::cloud::testing
