// spdlog set up once for the process.
#include "runtime/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace troupe::runtime {

status start_logging(const std::string& level, const std::string& file) {
  try {
    spdlog::sink_ptr sink;
    if (file.empty())
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    else
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
    auto logger = std::make_shared<spdlog::logger>("troupe", std::move(sink));
    logger->set_level(spdlog::level::from_str(level));
    logger->flush_on(spdlog::level::info);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    spdlog::set_default_logger(std::move(logger));
  } catch (const spdlog::spdlog_ex& broken) {
    return bad_request("log.file: " + std::string(broken.what()));
  }
  return {};
}

std::string log_value(std::string_view text) {
  bool plain = !text.empty();
  for (char c : text) plain = plain && c > ' ' && c != '"' && c != '=' && c != 0x7f;
  if (plain) return std::string(text);
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) >= ' ')
      out += c;
  }
  return out + "\"";
}

}  // namespace troupe::runtime
