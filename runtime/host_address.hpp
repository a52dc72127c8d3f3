// The address under which others reach this machine.
#pragma once

#include <string>

namespace troupe::runtime {

/// First IPv4 address of the interface that has the default route (as apimachinery's ChooseHostInterface); empty where
/// there is no such route.
std::string host_address();

/// What the API is advertised as when it listens on `host`: that address, or for the unspecified one and loopback the
/// machine's (kube-apiserver's ResolveBindAddress); empty where there is none.
std::string advertise_address(const std::string& host);

}  // namespace troupe::runtime
