// One stream of a container as its runtime serves it: HTTP upgraded to SPDY/3.1, in the client's role, as
// kube-apiserver plays it towards a kubelet. Pure: bytes in, events and bytes out.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "messages/container_runtime.hpp"
#include "messages/status.hpp"
#include "messages/streams.hpp"
#include "runtime/wire/spdy.hpp"

namespace troupe::cri {

/// Where a streaming URL leads.
struct stream_place {
  std::string host;  // an address, IPv6 without brackets
  std::uint16_t port = 0;
  std::string path;       // with its query
  std::string authority;  // "127.0.0.1:40123"
};

/// Takes an http URL with an address apart; invalid_argument for any other.
result<stream_place> parse_stream_url(std::string_view url);

/// Hears what a stream has to say.
class stream_events {
 public:
  virtual ~stream_events() = default;
  /// From now on chunks may be sent.
  virtual void on_opened() = 0;
  virtual void on_chunk(stream::channel on, std::string_view data, bool end) = 0;
  /// The last event. Before on_opened: it could not be opened.
  virtual void on_closed(const container::failure& why) = 0;
};

/// See the top of this file.
class runtime_stream final : private wire::spdy_sink {
 public:
  runtime_stream(const container::open_stream& order, const stream_place& at, stream_events& to);

  /// Bytes of the runtime.
  void receive(std::string_view data);
  /// It will send no more, or `why` the connection broke.
  void input_ended(std::string_view why = {});
  /// A chunk for the container; only once opened.
  void send(const stream::chunk& what);

  /// What is to be written to the runtime; whoever writes takes it from here.
  std::string outgoing;
  bool is_open() const { return stage_ == stage::open; }
  bool over() const { return stage_ == stage::over; }

 private:
  enum class stage : std::uint8_t { head, streams, open, over };

  void take_head();
  void begin_streams();
  void add_stream(stream::channel on, const char* type);
  void finish(const container::failure& why);
  /// Tells of a chunk, or keeps it until the stream is open.
  void tell(stream::channel on, std::string_view data, bool end);
  void open();
  void channel_ended(std::uint32_t id);
  /// Whether only what the client writes to is left.
  bool all_said() const;

  void on_stream(std::uint32_t id, const wire::spdy_headers& headers, bool fin) override;
  void on_reply(std::uint32_t id, bool fin) override;
  void on_data(std::uint32_t id, std::string_view piece, bool fin) override;
  void on_reset(std::uint32_t id) override;
  void on_ping(std::uint32_t id) override;
  void on_goaway() override;

  const container::open_stream order_;
  stream_events& to_;
  stage stage_ = stage::head;
  std::string head_;
  wire::spdy_encoder encoder_;
  wire::spdy_decoder decoder_{*this};
  std::map<std::uint32_t, stream::channel> channels_;  // by SPDY stream; the runtime's side is open
  std::map<stream::channel, std::uint32_t> writable_;  // ours is
  std::set<std::uint32_t> unanswered_;
  /// What a server said before it had answered for all streams: containerd forwards a port's bytes as soon as it has
  /// heard of both streams, and its replies come in their own time.
  struct early_chunk {
    stream::channel on;
    std::string data;
    bool end;
  };
  std::vector<early_chunk> early_;
  std::size_t early_bytes_ = 0;
  std::uint32_t next_ = 1;
  bool outcome_said_ = false;
};

}  // namespace troupe::cri
