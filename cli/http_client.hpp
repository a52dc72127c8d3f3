// A small blocking HTTPS client for the command line: one request at a time, HTTP/1.1, client certificate.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "messages/status.hpp"

namespace troupe::cli {

/// How to reach an api_server, read from a kubeconfig's current context.
struct connection_settings {
  std::string host;
  std::string port;
  std::string authority_pem;
  std::string certificate_pem;
  std::string key_pem;
  std::string token;
  bool trusts_anybody = false;  // no check of the server: for a public text that is then compared with a known hash
  std::string namespace_name = "default";
  /// From the connect to the end of the answer; none: as long as it takes.
  std::optional<std::chrono::milliseconds> patience;
  /// Bytes of an answer that are held at a time: its head, a whole body, a chunk of a stream. More is an error.
  std::size_t body_limit = std::size_t{1} << 30;
};

/// Reads `path`, or $KUBECONFIG, or ~/.kube/config when empty.
result<connection_settings> read_kubeconfig(const std::string& path);

struct http_answer {
  int code = 0;
  std::string content_type;
  std::string body;
  std::string warnings;  // Warning headers' texts, one a line
};

/// Sends requests over connections of its own; each request opens one.
class http_client {
 public:
  explicit http_client(connection_settings settings);
  ~http_client();
  http_client(const http_client&) = delete;
  http_client& operator=(const http_client&) = delete;

  /// The whole answer. An error means that there was none.
  result<http_answer> call(const std::string& method, const std::string& target, const std::string& body = {},
                           const std::string& content_type = "application/json",
                           const std::string& accept = "application/json");
  /// Passes the body on as it comes, until it ends or `on_data` returns false. Answers that are no 200 come back whole.
  result<http_answer> stream(const std::string& target, const std::string& accept,
                             const std::function<bool(std::string_view)>& on_data);

  const connection_settings& settings() const { return settings_; }

 private:
  struct channel;
  result<std::unique_ptr<channel>> connect();
  result<http_answer> exchange(const std::string& head, const std::string& body,
                               const std::function<bool(std::string_view)>& on_data);

  connection_settings settings_;
  struct tls;
  std::unique_ptr<tls> tls_;
};

/// The query value with everything unsafe percent-encoded.
std::string url_encode(std::string_view text);

}  // namespace troupe::cli
