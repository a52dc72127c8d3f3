// Who may have a link, as whom it may ask, what it may send.
#include "runtime/link/identity.hpp"

#include <doctest/doctest.h>

using namespace troupe;
using namespace troupe::link;

namespace link_identities {

std::string owner(std::string common_name, std::vector<std::string> groups = {}) {
  auto who = identity_of({std::move(common_name), std::move(groups), 0});
  return !who ? "" : (who->component ? "component " : "node ") + who->name;
}

TEST_CASE("link identities: nodes, and the components that may be alone") {
  CHECK(owner("system:node:worker-1", {"system:nodes"}) == "node worker-1");
  for (const auto& one : lone_components) {
    const std::string user(one.user);
    CHECK(owner(user) == "component " + user);
    CHECK(user_of_component(one.name) == user);
    for (const char* group : {"system:nodes", "system:masters", "system:authenticated"})
      CHECK(owner(user, {group}).empty());
  }
  for (const char* other : {"kubernetes-admin", "kube-apiserver", "system:kube-scheduler2", "system:kube-dns", "",
                            "system:serviceaccount:kube-system:deployment-controller", "scheduler"})
    CHECK_MESSAGE(owner(other).empty(), other);
  CHECK(owner("system:node:system:kube-scheduler", {"system:nodes"}).empty());
  CHECK(user_of_component("api_server").empty());
}

TEST_CASE("link identities: what each may send") {
  const identity node{"worker-1", false}, scheduler{"system:kube-scheduler", true};
  for (auto kind : {frame_kind::request, frame_kind::watch_stop}) {
    CHECK(may_send(node, kind));
    CHECK(may_send(scheduler, kind));
  }
  for (auto kind : {frame_kind::log_chunk, frame_kind::stream_opened, frame_kind::stream_output,
                    frame_kind::input_credit, frame_kind::stream_closed}) {
    CHECK(may_send(node, kind));
    CHECK_FALSE(may_send(scheduler, kind));
  }
  for (auto kind : {frame_kind::hello, frame_kind::response, frame_kind::read_log, frame_kind::open_stream}) {
    CHECK_FALSE(may_send(node, kind));
    CHECK_FALSE(may_send(scheduler, kind));
  }
}

TEST_CASE("link identities: as whom each may ask") {
  const std::vector<std::string> accounts = {"deployment-controller", "node-controller"};
  auto asks = [&](const identity& who, std::string_view claimed) {
    auto users = users_of(who, accounts);
    auto judged = judge_speaker(who, users, claimed);
    auto name = judged.as ? users.at(*judged.as).name : std::string("nobody");
    return judged.forged ? name + ", forged" : name;
  };
  const identity node{"worker-1", false};
  CHECK(asks(node, "") == "system:node:worker-1");
  CHECK(asks(node, "system:node:worker-1") == "system:node:worker-1");
  CHECK(asks(node, "system:node:worker-2") == "system:node:worker-1, forged");
  CHECK(asks(node, "system:kube-controller-manager") == "system:node:worker-1, forged");
  CHECK(users_of(node, accounts).at(0).groups == std::vector<std::string>{"system:nodes"});
  const identity manager{"system:kube-controller-manager", true};
  CHECK(asks(manager, "") == "system:kube-controller-manager");
  CHECK(asks(manager, "system:serviceaccount:kube-system:node-controller") ==
        "system:serviceaccount:kube-system:node-controller");
  CHECK(asks(manager, "system:serviceaccount:kube-system:cronjob-controller") == "nobody, forged");
  CHECK(asks(manager, "system:serviceaccount:default:node-controller") == "nobody, forged");
  CHECK(asks(manager, "node-controller") == "nobody, forged");
  CHECK(asks(manager, "system:kube-scheduler") == "nobody, forged");
  CHECK(users_of(manager, accounts).at(0).groups.empty());
  for (const auto& one : lone_components) {
    if (one.name == "controller_manager") continue;
    const identity who{std::string(one.user), true};
    CHECK(users_of(who, accounts).size() == 1);
    CHECK(asks(who, one.user) == one.user);
    CHECK(asks(who, "system:serviceaccount:kube-system:node-controller") == "nobody, forged");
    CHECK(asks(who, "kubernetes-admin") == "nobody, forged");
  }
}

}  // namespace link_identities
