// Renews the certificates of this process's nodes or components before they end: each asks for its next one over its
// own link, as itself. The dialer sees the new files, and makes new links in the place of those that have shown the old
// ones.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "messages/api_server.hpp"
#include "runtime/node_certificate.hpp"
#include "runtime/stable_ref.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::link {

/// One certificate that is renewed.
struct rotated {
  std::string name;  // of the node or component, for logs
  pki::wanted_certificate what;
  pki::node_files files;
  runtime::stable_ref<api::api_server_actor> server;  // by its link
};

struct rotation_options {
  std::vector<rotated> all;
  std::chrono::milliseconds look{60'000};  // between two looks at the files
  std::chrono::milliseconds poll{1'000};   // between two looks at a request
  int polls = 60;                          // then it is asked again at the next look
};

/// The actor as a child named "certificates".
runtime::child_spec rotation_child(rotation_options how);

}  // namespace troupe::link
