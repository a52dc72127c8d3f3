// HTTPS by OpenSSL, answers by Content-Length or chunks.
#include "cli/http_client.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <yaml-cpp/yaml.h>

#include "messages/number.hpp"
#include "messages/schema/scalars.hpp"
#include "runtime/pki_parts.hpp"

namespace troupe::cli {
namespace {

std::string decode_base64(const std::string& text) {
  std::string compact;
  std::copy_if(text.begin(), text.end(), std::back_inserter(compact), [](unsigned char c) { return !std::isspace(c); });
  auto normal = schema::normal_base64(compact);
  return normal.ok ? schema::from_base64(normal.text) : std::string();
}

// "NAME-data" holds it, or "NAME" names a file.
std::string embedded_or_file(const YAML::Node& node, const std::string& name) {
  if (node[name + "-data"]) return decode_base64(node[name + "-data"].as<std::string>());
  if (!node[name]) return {};
  auto content = pki::read_file(node[name].as<std::string>());
  return content ? *content : std::string();
}

YAML::Node named(const YAML::Node& list, const std::string& name) {
  for (const auto& entry : list)
    if (entry["name"] && entry["name"].as<std::string>() == name) return entry;
  return YAML::Node();
}

status split_server(const std::string& server, connection_settings& out) {
  constexpr std::string_view scheme = "https://";
  if (!server.starts_with(scheme))
    return bad_request("kubeconfig: server must be an https URL, not \"" + server + "\"");
  auto rest = server.substr(scheme.size());
  if (auto slash = rest.find('/'); slash != std::string::npos) rest.resize(slash);
  auto colon = rest.rfind(':');
  out.host = colon == std::string::npos ? rest : rest.substr(0, colon);
  out.port = colon == std::string::npos ? "443" : rest.substr(colon + 1);
  if (out.host.starts_with('[') && out.host.ends_with(']')) out.host = out.host.substr(1, out.host.size() - 2);
  return {};
}

result<connection_settings> parse_kubeconfig(const std::string& text) {
  connection_settings out;
  auto root = YAML::Load(text);
  auto context = named(root["contexts"], root["current-context"].as<std::string>(""))["context"];
  if (!context) return bad_request("kubeconfig: there is no current context");
  auto cluster = named(root["clusters"], context["cluster"].as<std::string>(""))["cluster"];
  auto user = named(root["users"], context["user"].as<std::string>(""))["user"];
  if (!cluster) return bad_request("kubeconfig: the context's cluster is missing");
  if (auto bad = split_server(cluster["server"].as<std::string>(""), out); !bad.ok()) return bad;
  out.authority_pem = embedded_or_file(cluster, "certificate-authority");
  if (user) {
    out.certificate_pem = embedded_or_file(user, "client-certificate");
    out.key_pem = embedded_or_file(user, "client-key");
    out.token = user["token"].as<std::string>("");
  }
  out.namespace_name = context["namespace"].as<std::string>("default");
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

struct head_fields {
  bool chunked = false;
  long long length = -1;
};

bool parse_head(std::string_view head, http_answer& answer, head_fields& fields) {
  if (head.size() < 12 || !head.starts_with("HTTP/1.")) return false;
  auto code = number_in<int>(head.substr(9, 3));
  if (!code) return false;
  answer.code = *code;
  for (auto at = head.find("\r\n"); at != std::string_view::npos && at + 2 < head.size();) {
    auto end = head.find("\r\n", at + 2);
    auto line = head.substr(at + 2, end == std::string_view::npos ? end : end - at - 2);
    at = end;
    auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    auto value = trim(line.substr(colon + 1));
    if (name == "content-type") answer.content_type = value;
    if (name == "content-length") fields.length = number_in<std::int64_t>(value).value_or(-1);
    if (name == "transfer-encoding") fields.chunked = value.find("chunked") != std::string_view::npos;
    auto quote = value.find('"');
    if (name == "warning" && quote != std::string_view::npos)
      answer.warnings += std::string(value.substr(quote + 1, value.rfind('"') - quote - 1)) + "\n";
  }
  return true;
}

}  // namespace

struct http_client::tls {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  ~tls() { SSL_CTX_free(context); }
};

struct http_client::channel {
  int socket = -1;
  SSL* ssl = nullptr;
  std::string pending;  // read but not consumed
  std::optional<std::chrono::steady_clock::time_point> deadline;
  std::size_t limit = 0;
  const char* broken = nullptr;  // why nothing more is read, when the other end has not just closed

  ~channel() {
    if (ssl) SSL_free(ssl);
    if (socket >= 0) close(socket);
  }
  /// Whether the socket is ready for that within the deadline.
  bool wait(short events) {
    using namespace std::chrono;
    int left = -1;
    if (deadline) {
      auto until = duration_cast<milliseconds>(*deadline - steady_clock::now()).count() + 1;
      left = static_cast<int>(std::clamp<std::int64_t>(until, 0, std::numeric_limits<int>::max()));
    }
    pollfd watched{socket, events, 0};
    int ready = ::poll(&watched, 1, left);
    if (ready == 0) broken = "the server did not answer in time";
    return ready > 0;
  }
  /// Does a step of TLS to its end; the socket does not block, so that no step outlasts the deadline.
  template <class Step>
  int drive(Step step) {
    for (;;) {
      int done = step();
      if (done > 0) return done;
      int why = SSL_get_error(ssl, done);
      if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return done;
      if (!wait(why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT)) return -1;
    }
  }
  bool connect_to(const addrinfo& where) {
    socket = ::socket(where.ai_family, where.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, where.ai_protocol);
    if (socket < 0) return false;
    int failed = ::connect(socket, where.ai_addr, where.ai_addrlen) == 0 ? 0 : errno;
    if (failed == EINPROGRESS && wait(POLLOUT)) {
      socklen_t size = sizeof failed;
      getsockopt(socket, SOL_SOCKET, SO_ERROR, &failed, &size);
    }
    if (failed == 0) return true;
    close(std::exchange(socket, -1));
    return false;
  }
  bool too_large(std::size_t bytes) {
    if (bytes > limit) broken = "the server's answer is too large";
    return bytes > limit;
  }
  bool fill() {
    char buffer[16384];
    if (too_large(pending.size())) return false;
    int n = drive([&] { return SSL_read(ssl, buffer, sizeof buffer); });
    if (n > 0) pending.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }
  // The bytes up to `mark`, which is consumed too; false when the connection ends before.
  bool until(std::string_view mark, std::string& out) {
    std::size_t at;
    while ((at = pending.find(mark)) == std::string::npos)
      if (!fill()) return false;
    out = pending.substr(0, at);
    pending.erase(0, at + mark.size());
    return true;
  }
};

result<connection_settings> read_kubeconfig(const std::string& path) {
  std::string from = path;
  if (from.empty() && std::getenv("KUBECONFIG")) from = std::getenv("KUBECONFIG");
  if (from.empty() && std::getenv("HOME")) from = std::string(std::getenv("HOME")) + "/.kube/config";
  auto text = pki::read_file(from);
  if (!text) return text.error();
  try {
    return parse_kubeconfig(*text);
  } catch (const YAML::Exception& broken) {
    return bad_request(from + ": " + broken.what());
  }
}

http_client::http_client(connection_settings settings) : settings_(std::move(settings)), tls_(std::make_unique<tls>()) {
  auto* context = tls_->context;
  SSL_CTX_set_verify(context, settings_.trusts_anybody ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  pki::trust(context, settings_.authority_pem, false);
  // What is wrong with them the server says: who may call without a certificate is its business.
  if (!settings_.certificate_pem.empty()) pki::use_certificate(context, settings_.certificate_pem, settings_.key_pem);
  ERR_clear_error();
}

http_client::~http_client() = default;

result<std::unique_ptr<http_client::channel>> http_client::connect() {
  auto where = settings_.host + ":" + settings_.port;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (int code = getaddrinfo(settings_.host.c_str(), settings_.port.c_str(), &hints, &found))
    return make_status(reason::service_unavailable, "cannot resolve " + settings_.host + ": " + gai_strerror(code));
  auto made = std::make_unique<channel>();
  made->limit = settings_.body_limit;
  if (settings_.patience) made->deadline = std::chrono::steady_clock::now() + *settings_.patience;
  for (auto* one = found; one && made->socket < 0; one = one->ai_next) made->connect_to(*one);
  freeaddrinfo(found);
  if (made->broken) return make_status(reason::service_unavailable, where + ": " + made->broken);
  if (made->socket < 0)
    return make_status(reason::service_unavailable, "The connection to the server " + where +
                                                        " was refused - did you specify the right host or port?");
  int one = 1;
  setsockopt(made->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  made->ssl = SSL_new(tls_->context);
  SSL_set_fd(made->ssl, made->socket);
  auto* verify = SSL_get0_param(made->ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(verify, settings_.host.c_str()) != 1) {
    X509_VERIFY_PARAM_set1_host(verify, settings_.host.c_str(), 0);
    SSL_set_tlsext_host_name(made->ssl, settings_.host.c_str());
  }
  if (made->drive([&] { return SSL_connect(made->ssl); }) != 1) {
    if (made->broken) return make_status(reason::service_unavailable, where + ": " + made->broken);
    char text[200] = "connection closed";
    if (auto code = ERR_get_error()) ERR_error_string_n(code, text, sizeof text);
    if (auto why = SSL_get_verify_result(made->ssl); why != X509_V_OK)
      return make_status(reason::service_unavailable, where + ": " + X509_verify_cert_error_string(why));
    return make_status(reason::service_unavailable, where + ": " + text);
  }
  return made;
}

result<http_answer> http_client::exchange(const std::string& head, const std::string& body,
                                          const std::function<bool(std::string_view)>& on_data) {
  auto opened = connect();
  if (!opened) return opened.error();
  auto& wire = **opened;
  auto text = head + body;
  if (wire.drive([&] { return SSL_write(wire.ssl, text.data(), static_cast<int>(text.size())); }) <= 0)
    return make_status(reason::service_unavailable, "the connection was lost while sending");
  http_answer answer;
  head_fields fields;
  std::string answer_head;
  if (!wire.until("\r\n\r\n", answer_head) || !parse_head(answer_head, answer, fields))
    return make_status(reason::service_unavailable, wire.broken ? wire.broken : "the server did not answer in HTTP");
  auto ended = [&]() -> result<http_answer> {
    if (wire.broken) return make_status(reason::service_unavailable, wire.broken);
    return answer;
  };

  bool live = on_data && answer.code == 200;
  auto deliver = [&](std::string_view data) {
    if (live) return on_data(data);
    if (wire.too_large(answer.body.size() + data.size())) return false;
    answer.body.append(data);
    return true;
  };
  if (fields.chunked) {
    std::string size_line;
    while (wire.until("\r\n", size_line)) {
      auto size = std::strtoull(size_line.c_str(), nullptr, 16);
      if (wire.too_large(size)) break;
      while (wire.pending.size() < size + 2)
        if (!wire.fill()) return ended();
      if (size == 0 || !deliver(std::string_view(wire.pending).substr(0, size))) break;
      wire.pending.erase(0, size + 2);
    }
    return ended();
  }
  auto left = fields.length;
  while (left != 0) {
    if (wire.pending.empty() && !wire.fill()) break;
    if (!deliver(wire.pending)) break;
    if (left > 0) left -= static_cast<long long>(wire.pending.size());
    wire.pending.clear();
  }
  return ended();
}

result<http_answer> http_client::call(const std::string& method, const std::string& target, const std::string& body,
                                      const std::string& content_type, const std::string& accept) {
  auto head = method + " " + target + " HTTP/1.1\r\nHost: " + settings_.host + ":" + settings_.port +
              "\r\nUser-Agent: troupe/" TROUPE_VERSION "\r\nAccept: " + accept + "\r\nConnection: close\r\n";
  if (!settings_.token.empty()) head += "Authorization: Bearer " + settings_.token + "\r\n";
  if (!body.empty()) head += "Content-Type: " + content_type + "\r\n";
  head += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  return exchange(head, body, nullptr);
}

result<http_answer> http_client::stream(const std::string& target, const std::string& accept,
                                        const std::function<bool(std::string_view)>& on_data) {
  auto head = "GET " + target + " HTTP/1.1\r\nHost: " + settings_.host + ":" + settings_.port +
              "\r\nUser-Agent: troupe/" TROUPE_VERSION "\r\nAccept: " + accept + "\r\nConnection: close\r\n";
  if (!settings_.token.empty()) head += "Authorization: Bearer " + settings_.token + "\r\n";
  return exchange(head + "\r\n", {}, on_data);
}

std::string url_encode(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return out;
}

}  // namespace troupe::cli
