// The api_server's interface: Kubernetes API requests and watches as actor messages.
//
// The gateway turns HTTP into these; scheduler, controllers and kubelets send the same messages without HTTP. Both walk
// the same pipeline: authenticate, authorise, decode, default, admit, validate, store, respond.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <caf/typed_actor.hpp>

#include "messages/bytes.hpp"
#include "messages/message.hpp"
#include "messages/object.hpp"
#include "messages/status.hpp"
#include "messages/urgency.hpp"

namespace troupe::api {

enum class method : std::uint8_t { get, head, post, put, patch, del, options, other };

/// Who asks (authentication.k8s.io UserInfo).
struct user_info {
  std::string name;
  std::string uid;
  std::vector<std::string> groups;
  std::vector<std::pair<std::string, std::vector<std::string>>> extra;
  MSGPACK_DEFINE(name, uid, groups, extra)
};
using user_ptr = std::shared_ptr<const user_info>;

/// One API call. `target` is path and query as in HTTP ("/api/v1/namespaces/default/pods?limit=5"). The answer goes to
/// the sender with the same `id`.
struct request {
  std::uint64_t id = 0;
  method verb = method::get;
  std::string target;
  std::string content_type;  // of the body; empty: application/json
  std::string accept;        // empty: application/json
  std::string user_agent;    // field manager's default is its part before '/'
  /// Further headers the pipeline judges, names in lower case: authorization, impersonate-*, accept-encoding.
  std::vector<std::pair<std::string, std::string>> headers;
  shared_bytes body;
  /// What the gateway will speak once this request's connection is upgraded ("v5.channel.k8s.io"); empty: no upgrade
  /// was asked for, or none that it knows. Only such requests are answered with a stream_id.
  std::string upgrade;
  user_ptr user;           // from the client certificate or the component; null: nobody was authenticated
  std::string auth_error;  // why a presented certificate was refused; then the answer is 401
  urgency level = urgency::serving;
  TROUPE_MESSAGE(request, id, verb, target, content_type, accept, user_agent, headers, body, user, auth_error, level,
                 upgrade)
};

/// How the gateway writes a watch's events to the client. `raw`: no events but bytes (a followed log), passed on as
/// they come in watch_batch::raw.
enum class watch_format : std::uint8_t { json, table, partial_metadata, raw };

/// Answer to a request.
struct response {
  std::uint64_t id = 0;
  std::uint16_t code = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;  // warning, retry-after, allow, etag ...
  std::vector<piece> body;
  std::uint64_t revision = 0;  // of the written or read object or list; 0 where there is none
  object_ptr object;           // the object written or read, for in-process callers; may be null
  status error;                // the Status in the body when the call failed, else code 0
  /// Non-zero: the request was a watch and is accepted; its events follow as watch_delivery with this watch id.
  std::uint64_t watch_id = 0;
  watch_format format = watch_format::json;
  std::string table_options;  // for watch_format::table: includeObject value
  /// Non-zero: the request was exec, attach or port-forward, and its stream is open (messages/streams.hpp). The sender
  /// of the request goes on with the relay.
  std::uint64_t stream_id = 0;
  TROUPE_MESSAGE(response, id, code, content_type, headers, body, revision, error, watch_id, format, table_options,
                 stream_id)
};

/// The HTTP code of an answer, whichever member tells it.
inline std::uint16_t code_of(const response& answer) { return answer.error.ok() ? answer.code : answer.error.code; }

enum class event_type : std::uint8_t { added, modified, deleted, bookmark };

/// One watch event. For `deleted` the object is its last state with the deletion's revision. A bookmark has no object.
struct watch_event {
  event_type type = event_type::added;
  object_ptr object;
  std::uint64_t revision = 0;
  bool initial_events_end = false;  // bookmark that ends sendInitialEvents
};

/// Events of one watch, shared by all watches that get the same ones.
struct watch_batch {
  std::uint64_t watch_id = 0;
  std::shared_ptr<const std::vector<watch_event>> events;
  /// Not ok: the watch has ended; a client sees it as an ERROR event (410 Expired after compaction).
  status error;
  bool closed = false;
  shared_bytes raw;  // watch_format::raw only: the next bytes of the answer's body
};

/// To whoever opened watches: everything that happened for them, one message per recipient and store batch.
struct watch_delivery {
  std::vector<watch_batch> batches;
  // Handles in-process sharing only; a remote session sends objects through the cluster link's own frames.
  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, watch_delivery&) {
    return f();
  }
};

/// Ends a watch opened by the sender. Unknown ids are ignored.
struct watch_stop {
  std::uint64_t watch_id = 0;
  TROUPE_MESSAGE(watch_stop, watch_id)
};

/// What a user of the api_server must understand.
using client_actor = caf::typed_actor<caf::reacts_to<response>,         // answer to a request
                                      caf::reacts_to<watch_delivery>>;  // events of opened watches

/// The api_server. A watch is a GET request with ?watch=true.
using api_server_actor = caf::typed_actor<caf::reacts_to<request>,      // answers response
                                          caf::reacts_to<watch_stop>>;  // no answer

}  // namespace troupe::api

MSGPACK_ADD_ENUM(troupe::api::method)
MSGPACK_ADD_ENUM(troupe::api::watch_format)
MSGPACK_ADD_ENUM(troupe::api::event_type)

namespace msgpack {
MSGPACK_API_VERSION_NAMESPACE(MSGPACK_DEFAULT_API_NS) {
  namespace adaptor {
  /// A user travels as its value; null as nil.
  template <>
  struct pack<troupe::api::user_ptr> {
    template <class Stream>
    msgpack::packer<Stream>& operator()(msgpack::packer<Stream>& o, const troupe::api::user_ptr& v) const {
      if (!v) return o.pack_nil();
      return o.pack(*v);
    }
  };
  template <>
  struct convert<troupe::api::user_ptr> {
    const msgpack::object& operator()(const msgpack::object& o, troupe::api::user_ptr& v) const {
      v = o.is_nil() ? nullptr : std::make_shared<const troupe::api::user_info>(o.as<troupe::api::user_info>());
      return o;  // NOLINT(bugprone-return-const-ref-from-parameter): how msgpack wants its converters
    }
  };
  }  // namespace adaptor
}
}  // namespace msgpack
