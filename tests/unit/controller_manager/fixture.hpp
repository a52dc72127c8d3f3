// A controller's core over caches that a test fills.
#pragma once

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "messages/controller.hpp"
#include "messages/document.hpp"
#include "messages/schema/codec.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::controllers::testing {

/// Wall clock of all tests: 2026-01-01T00:00:00Z.
constexpr std::uint64_t start_ms = 1'767'225'600'000;

class fake_caches final : public controller::caches {
 public:
  explicit fake_caches(std::size_t sources) : maps_(sources) {}
  const object_map& all(std::size_t source) const override { return maps_.at(source); }
  object_map& map(std::size_t source) { return maps_.at(source); }

 private:
  std::vector<object_map> maps_;
};

/// Drives one core: put and drop objects, let keys have their turn.
class stage {
 public:
  explicit stage(controller::core& core) : core_(core), caches(core.sources().size()) {}

  /// Adds or changes an object of JSON; group and version come from it.
  object_ptr put(std::uint32_t source, const std::string& json) {
    auto parsed = document::parse(json);
    REQUIRE(parsed.ok());
    auto version = std::string(parsed->root().find("apiVersion")->string());
    auto slash = version.find('/');
    auto resource = schema::find_kind(slash == std::string::npos ? "" : version.substr(0, slash),
                                      slash == std::string::npos ? version : version.substr(slash + 1),
                                      parsed->root().find("kind")->string());
    REQUIRE(resource != schema::no_index);
    // As the api_server stores it: canonical.
    std::string stored;
    schema::conform_report ignored;
    REQUIRE(schema::conform(*parsed, parsed->root(), schema::resources()[resource].type, ignored).ok());
    schema::encode(stored, parsed->root(), schema::resources()[resource].type);
    ++revision_;
    auto made = make_object(resource, stored, revision_, revision_);
    REQUIRE(made.ok());
    auto key = (*made)->namespace_name.empty()
                   ? std::string((*made)->name)
                   : std::string((*made)->namespace_name) + "/" + std::string((*made)->name);
    auto& slot = caches.map(source)[key];
    auto before = slot;
    slot = *made;
    heard(core_.observe({source, key, before, *made}, caches));
    return *made;
  }
  void drop(std::uint32_t source, const std::string& key) {
    auto before = caches.map(source).at(key);
    caches.map(source).erase(key);
    heard(core_.observe({source, key, before, nullptr}, caches));
  }
  /// The effects of the key's turn.
  std::vector<controller::effect> turn(const std::string& key) { return core_.reconcile({key, now_ms}, caches); }

  /// Requests of a turn, as "VERB target".
  static std::vector<std::string> writes(const std::vector<controller::effect>& effects) {
    constexpr const char* verbs[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    std::vector<std::string> out;
    for (const auto& one : effects)
      if (const auto* write = std::get_if<controller::write>(&one))
        out.push_back(std::string(verbs[static_cast<int>(write->request.verb)]) + " " + write->request.target);
    return out;
  }
  /// Body of the first write whose target ends like this.
  static document body(const std::vector<controller::effect>& effects, const std::string& ending) {
    for (const auto& one : effects)
      if (const auto* write = std::get_if<controller::write>(&one); write && write->request.target.ends_with(ending)) {
        auto parsed = document::parse(write->request.body.view());
        REQUIRE(parsed.ok());
        return std::move(*parsed);
      }
    FAIL("no write to " << ending);
    return {};
  }

  controller::core& core_;
  fake_caches caches;
  std::uint64_t now_ms = start_ms;
  std::vector<std::string> woken;  // keys that observe() asked for

 private:
  void heard(const std::vector<controller::effect>& effects) {
    for (const auto& one : effects)
      if (const auto* key = std::get_if<controller::enqueue>(&one)) woken.push_back(key->key);
  }
  std::uint64_t revision_ = 10;
};

inline std::string text(const document& doc, std::initializer_list<std::string_view> path) {
  const node* at = &doc.root();
  for (auto step : path) at = at ? at->find(step) : nullptr;
  return !at ? "" : at->is_string() ? std::string(at->string()) : to_json(*at);
}

}  // namespace troupe::controllers::testing
