// libnftables by dlopen.
#include "actors/kube_proxy/nft_library.hpp"

#include <nftables/libnftables.h>

#include "actors/kube_proxy/shared_library.hpp"

namespace troupe::kube_proxy {
namespace {

struct nft_functions {
  decltype(&nft_ctx_new) make = nullptr;
  decltype(&nft_ctx_free) free = nullptr;
  decltype(&nft_ctx_buffer_error) buffer_error = nullptr;
  decltype(&nft_ctx_get_error_buffer) error_buffer = nullptr;
  decltype(&nft_run_cmd_from_buffer) run = nullptr;
  std::string missing;
};

const nft_functions& nft_library() {
  static const nft_functions loaded = [] {
    nft_functions f;
    shared_library from("libnftables.so.1", "libnftables cannot be loaded (Debian: libnftables1)");
    from.find("nft_ctx_new", f.make)
        .find("nft_ctx_free", f.free)
        .find("nft_ctx_buffer_error", f.buffer_error)
        .find("nft_ctx_get_error_buffer", f.error_buffer)
        .find("nft_run_cmd_from_buffer", f.run);
    f.missing = from.missing();
    return f;
  }();
  return loaded;
}

/// nft repeats the offending line below its message, which may be megabytes.
std::string first_line(std::string text) {
  auto end = text.find('\n');
  if (end != std::string::npos) text.resize(end);
  return text.empty() ? "nftables refused the transaction" : text;
}

class loaded_context final : public nft_context {
 public:
  loaded_context() : context_(nft_library().make(NFT_CTX_DEFAULT)) { nft_library().buffer_error(context_); }
  ~loaded_context() override { nft_library().free(context_); }
  std::string run(const std::string& commands) override {
    if (nft_library().run(context_, commands.c_str()) == 0) return {};
    return first_line(nft_library().error_buffer(context_));
  }

 private:
  nft_ctx* context_;
};

}  // namespace

std::unique_ptr<nft_context> nft_context::open(std::string& error) {
  error = nft_library().missing;
  return error.empty() ? std::make_unique<loaded_context>() : nullptr;
}

}  // namespace troupe::kube_proxy
