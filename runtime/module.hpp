// Parts of the binary that are loaded on demand, since most processes do without the libraries they need.
#pragma once

#include <string>

namespace troupe::runtime {

/// What loading gave: the symbol, or why not.
struct loaded_module {
  void* symbol = nullptr;
  std::string error;
};

/// Loads a module that lies beside the binary, for good (gRPC keeps threads of its own), and finds its one symbol.
loaded_module load_module(const char* file, const char* symbol);

}  // namespace troupe::runtime
