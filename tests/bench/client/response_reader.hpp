// Reads HTTP/1.1 answers incrementally.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace troupe::bench {

/// One answer. `head` is the status line and headers as received.
struct reply {
  int code = 0;
  std::string head;
  std::string body;

  /// The value of a header (name in any case), or "".
  std::string header(std::string_view name) const;
};

/// Feed it a connection's bytes. Interim (1xx) answers are skipped. Throws std::runtime_error on what is no HTTP.
class response_reader {
 public:
  /// Takes bytes; returns how many belong to the current answer. `head_only`: the request was HEAD.
  std::size_t feed(std::string_view data);
  bool head_complete() const { return step_ != step::head; }
  bool complete() const { return step_ == step::complete; }
  reply& answer() { return answer_; }
  void reset(bool head_only = false);
  /// The connection ended: completes an answer that is delimited by it.
  void end();

  /// When set, body bytes go here instead of into answer().body.
  std::function<void(std::string_view)> sink;
  bool keep_body = true;

 private:
  enum class step : std::uint8_t { head, sized, chunk_line, chunk_data, chunk_end, trailer, until_end, complete };
  void on_head();
  void on_body(std::string_view data);
  bool take_line(std::string_view& data);

  step step_ = step::head;
  reply answer_;
  std::string line_;
  std::uint64_t left_ = 0;
  bool head_only_ = false;
};

}  // namespace troupe::bench
