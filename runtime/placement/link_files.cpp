// See link_files.hpp.
#include "runtime/placement/link_files.hpp"

#include <utility>

#include <sys/stat.h>

#include "runtime/pki.hpp"

namespace troupe::runtime {

pki::node_files link_files(const configuration& config, const std::string& name) {
  auto folder = config.link.credentials.empty() ? config.data_dir + "/pki" : config.link.credentials;
  return {folder + "/" + name + ".crt", folder + "/" + name + ".key", folder + "/ca.crt"};
}

result<link::credentials> read_credentials(const pki::node_files& from) {
  link::credentials out;
  for (auto [path, into] : {std::pair{&from.certificate, &out.certificate}, std::pair{&from.key, &out.private_key},
                            std::pair{&from.authority, &out.authority}}) {
    auto text = pki::read_file(*path);
    if (!text) return text.error();
    *into = std::move(*text);
  }
  return out;
}

// The certificate is the last of the files to be replaced (pki::replace_pair).
std::uint64_t stamp_of(const pki::node_files& files) {
  struct stat found {};
  if (stat(files.certificate.c_str(), &found) != 0) return 0;
  return static_cast<std::uint64_t>(found.st_ctim.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(found.st_ctim.tv_nsec);
}

}  // namespace troupe::runtime
