// The certificates by which this process's nodes and components prove themselves on their links.
#pragma once

#include <cstdint>
#include <string>

#include "messages/status.hpp"
#include "runtime/config.hpp"
#include "runtime/link/tls.hpp"
#include "runtime/node_certificate.hpp"

namespace troupe::runtime {

/// The certificate, key and authority of a node or component of that name, read anew at each try to connect. A link
/// that is open when they are replaced is made anew.
pki::node_files link_files(const configuration& config, const std::string& name);

/// What the files hold, or which of them cannot be read.
result<link::credentials> read_credentials(const pki::node_files& from);

/// Another number when the files have been replaced, a copied file's too; 0: there are none.
std::uint64_t stamp_of(const pki::node_files& files);

}  // namespace troupe::runtime
