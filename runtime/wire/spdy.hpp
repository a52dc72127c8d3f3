// SPDY/3.1 frames, as far as Kubernetes' streaming uses them (exec, attach, port-forward between clients, servers and
// container runtimes). Pure: bytes in, calls out.
//
// Go's implementation, which all others speak to, knows no flow control: window updates are neither sent nor heeded.
// Header blocks are compressed by one zlib stream per direction, begun with the dictionary of the SPDY/3 draft.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::wire {

/// Names are in lower case.
using spdy_headers = std::vector<std::pair<std::string, std::string>>;

/// The value of a header, or empty.
std::string_view spdy_header(const spdy_headers& in, std::string_view name);

/// Why a stream is reset (SPDY/3, 2.6.3), as far as we do it.
enum class spdy_reset : std::uint32_t { protocol_error = 1, invalid_stream = 2, refused_stream = 3, cancel = 5 };

/// Hears what a decoder finds. Views are valid during the call only.
class spdy_sink {
 public:
  virtual ~spdy_sink() = default;
  virtual void on_stream(std::uint32_t id, const spdy_headers& headers, bool fin) = 0;
  virtual void on_reply(std::uint32_t id, bool fin) = 0;
  /// A piece of a data frame; `fin` with the last piece of a frame that ends its stream.
  virtual void on_data(std::uint32_t id, std::string_view piece, bool fin) = 0;
  virtual void on_reset(std::uint32_t id) = 0;
  virtual void on_ping(std::uint32_t id) = 0;
  virtual void on_goaway() = 0;
};

/// Reads the frames of one direction of a connection.
class spdy_decoder {
 public:
  explicit spdy_decoder(spdy_sink& to);
  ~spdy_decoder();
  spdy_decoder(const spdy_decoder&) = delete;
  spdy_decoder& operator=(const spdy_decoder&) = delete;

  /// Takes bytes; false when they break the protocol or its bounds: the connection must end, nothing more is read.
  bool feed(std::string_view data);

 private:
  bool begin_frame();
  void take_data(std::string_view& data);
  bool take_control(std::string_view& data);
  bool on_control();
  bool read_headers(std::string_view packed, spdy_headers& into);

  struct inflater;
  spdy_sink& to_;
  std::unique_ptr<inflater> inflater_;
  std::string head_;  // of a frame, until its eight bytes are there
  bool in_frame_ = false;
  bool control_ = false;
  bool failed_ = false;
  std::uint32_t word_ = 0;  // the first one: version and type, or the stream
  std::uint8_t flags_ = 0;
  std::size_t left_ = 0;  // of the frame
  std::string body_;      // of a control frame
};

/// Writes the frames of one direction of a connection.
class spdy_encoder {
 public:
  spdy_encoder();
  ~spdy_encoder();
  spdy_encoder(const spdy_encoder&) = delete;
  spdy_encoder& operator=(const spdy_encoder&) = delete;

  void stream(std::string& out, std::uint32_t id, const spdy_headers& headers);
  void reply(std::string& out, std::uint32_t id);
  /// At most 16 MiB - 1.
  void data(std::string& out, std::uint32_t id, std::string_view payload, bool fin);
  void reset(std::string& out, std::uint32_t id, spdy_reset why);
  void ping(std::string& out, std::uint32_t id);
  void goaway(std::string& out, std::uint32_t last_stream);

 private:
  std::string pack(const spdy_headers& headers);

  struct deflater;
  std::unique_ptr<deflater> deflater_;
};

}  // namespace troupe::wire
