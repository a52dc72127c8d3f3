// Libraries that are loaded when they are first wanted, so that processes without a proxy do not pay for them.
#pragma once

#include <string>

#include <dlfcn.h>

namespace troupe::kube_proxy {

/// One library, loaded for good. After the first function that is missing, find() gives nothing more.
class shared_library {
 public:
  /// `file`: as the linker knows it; `package`: Debian's, for the message.
  shared_library(const char* file, std::string package)
      : package_(std::move(package)), handle_(dlopen(file, RTLD_NOW | RTLD_LOCAL)) {
    if (!handle_) note();
  }

  template <class Function>
  shared_library& find(const char* name, Function& out) {
    if (!missing_.empty()) return *this;
    out = reinterpret_cast<Function>(dlsym(handle_, name));
    if (!out) note();
    return *this;
  }

  /// Why it cannot be used; empty: every function was found.
  const std::string& missing() const { return missing_; }

 private:
  void note() { missing_ = package_ + ": " + dlerror(); }

  std::string package_;
  void* handle_;
  std::string missing_;
};

}  // namespace troupe::kube_proxy
