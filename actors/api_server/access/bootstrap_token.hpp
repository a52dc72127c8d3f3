// Bootstrap tokens: how a machine that has no certificate yet asks for one.
#pragma once

#include <cstdint>
#include <string_view>

#include "actors/api_server/cacher/snapshot.hpp"
#include "messages/api_server.hpp"

namespace troupe::api {

/// The user system:bootstrap:ID of a token ID.SECRET that a Secret of type bootstrap.kubernetes.io/token in kube-system
/// allows to authenticate; null where there is none, it has expired or is being deleted. Source: Kubernetes'
/// plugin/pkg/auth/authenticator/token/bootstrap.
user_ptr bootstrap_user(std::string_view token, const cluster_view& cluster, std::int64_t now_ms);

}  // namespace troupe::api
