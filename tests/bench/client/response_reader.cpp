// HTTP/1.1 answers.
#include "tests/bench/client/response_reader.hpp"

#include <strings.h>
#include <algorithm>
#include <stdexcept>

namespace troupe::bench {

std::string reply::header(std::string_view name) const {
  std::size_t at = head.find("\r\n");
  while (at != std::string::npos && at + 2 < head.size()) {
    at += 2;
    auto end = head.find("\r\n", at);
    if (end == std::string::npos) break;
    if (end - at > name.size() && head[at + name.size()] == ':' &&
        strncasecmp(head.data() + at, name.data(), name.size()) == 0) {
      auto from = head.find_first_not_of(' ', at + name.size() + 1);
      return head.substr(from, end - from);
    }
    at = end;
  }
  return {};
}

void response_reader::reset(bool head_only) {
  step_ = step::head;
  answer_.code = 0;
  answer_.head.clear();
  answer_.body.clear();
  line_.clear();
  left_ = 0;
  head_only_ = head_only;
}

bool response_reader::take_line(std::string_view& data) {
  auto end = data.find('\n');
  line_.append(data.substr(0, end));
  if (end == std::string_view::npos) {
    data = {};
    return false;
  }
  data.remove_prefix(end + 1);
  if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  return true;
}

void response_reader::on_body(std::string_view data) {
  if (sink) return sink(data);
  if (keep_body) answer_.body.append(data);
}

std::size_t response_reader::feed(std::string_view input) {
  auto data = input;
  while (!data.empty() && step_ != step::complete) {
    switch (step_) {
      case step::head: {
        // The end may straddle two reads.
        auto from = answer_.head.size() < 3 ? 0 : answer_.head.size() - 3;
        answer_.head.append(data);
        auto end = answer_.head.find("\r\n\r\n", from);
        if (end == std::string::npos) {
          data = {};
          break;
        }
        data.remove_prefix(data.size() - (answer_.head.size() - end - 4));
        answer_.head.resize(end + 4);
        on_head();
        break;
      }
      case step::sized:
      case step::chunk_data: {
        auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, data.size()));
        on_body(data.substr(0, size));
        data.remove_prefix(size);
        left_ -= size;
        if (left_ == 0) step_ = step_ == step::sized ? step::complete : step::chunk_end;
        break;
      }
      case step::chunk_end:
      case step::chunk_line:
      case step::trailer:
        if (!take_line(data)) break;
        if (step_ == step::chunk_end) {
          step_ = step::chunk_line;
        } else if (step_ == step::trailer) {
          if (line_.empty()) step_ = step::complete;
        } else {
          left_ = std::stoull(line_, nullptr, 16);
          step_ = left_ == 0 ? step::trailer : step::chunk_data;
        }
        line_.clear();
        break;
      case step::until_end:
        on_body(data);
        data = {};
        break;
      case step::complete:
        break;
    }
  }
  return input.size() - data.size();
}

void response_reader::on_head() {
  if (!answer_.head.starts_with("HTTP/1.") || answer_.head.size() < 12)
    throw std::runtime_error("not an HTTP answer: " + answer_.head.substr(0, 80));
  answer_.code = std::stoi(answer_.head.substr(9, 3));
  if (answer_.code >= 100 && answer_.code < 200) return reset(head_only_);
  if (head_only_ || answer_.code == 204 || answer_.code == 304) {
    step_ = step::complete;
    return;
  }
  if (auto length = answer_.header("content-length"); !length.empty()) {
    left_ = std::stoull(length);
    step_ = left_ == 0 ? step::complete : step::sized;
  } else {
    step_ = answer_.header("transfer-encoding") == "chunked" ? step::chunk_line : step::until_end;
  }
}

void response_reader::end() {
  if (step_ == step::until_end) step_ = step::complete;
}

}  // namespace troupe::bench
