// GET /version.
#pragma once

#include <string_view>

#include "messages/bytes.hpp"

namespace troupe::api {

/// The Kubernetes version whose API this is ("v1.36.4+troupe0.1.0"); clients compare its major and minor part.
std::string_view git_version();

/// k8s.io/apimachinery version.Info, indented as kube-apiserver sends it.
const shared_bytes& version_document();

}  // namespace troupe::api
