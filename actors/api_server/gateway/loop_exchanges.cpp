// The loop's exchanges: requests to the api_server, answers and watch events back.
#include <algorithm>
#include <utility>

#include "actors/api_server/gateway/loop.hpp"

namespace troupe::gateway {

namespace {

// What kube-apiserver says when it is out of in-flight places.
constexpr std::string_view too_many = "Too many requests, please try again later.";

bool is_master(const api::user_ptr& user) {
  return user && std::find(user->groups.begin(), user->groups.end(), "system:masters") != user->groups.end();
}

}  // namespace

const std::string& loop::date() {
  auto ms = wall_now_ms();
  if (date_.empty() || ms / 1000 != date_second_) {
    date_second_ = ms / 1000;
    date_ = http_date(ms);
  }
  return date_;
}

exchange& loop::make(session& by, std::int32_t stream, const http_request& request) {
  count(counts().requests);
  auto made = std::make_unique<exchange>();
  auto& x = *made;
  x.id = next_id_++;
  x.owner = &by;
  x.stream = stream;
  x.is_head = request.call.verb == api::method::head;
  x.is_mutating = is_mutating(request.call.verb);
  x.accepts_gzip = request.accepts_gzip;
  x.upgrade = choose_upgrade(request);
  x.audit_id = request.audit_id.empty() ? new_uid() : request.audit_id;
  exchanges_.emplace(x.id, std::move(made));
  return x;
}

void loop::authenticate(const peer_identity& peer, api::request& call) {
  if (!peer.error.empty()) {
    call.auth_error = peer.error;
  } else if (peer.user && wall_now_ms() > peer.end_ms) {
    call.auth_error = "x509: certificate has expired or is not yet valid";
  } else {
    call.user = peer.user;
  }
}

exchange& loop::begin(session& by, const peer_identity& peer, std::int32_t stream, http_request&& request) {
  auto& x = make(by, stream, request);
  authenticate(peer, request.call);
  if (!is_long_running(request.call)) {
    if (!with_.where->enter(x.is_mutating, is_master(request.call.user))) {
      count(counts().rejected);
      x.answer.headers.emplace_back("Retry-After", "1");
      fail_plainly(x, 429, std::string(too_many));
      return x;
    }
    x.counted = true;
  }
  request.call.upgrade = x.upgrade.protocol;
  if (x.upgrade.speaks != dialect::none || request.call.target.find("watch") != std::string::npos)
    x.target = request.call.target;
  x.forwarded = true;
  x.deadline_us = now_us_ + in_us(bounds().response);
  request.call.id = x.id;
  if (x.is_mutating && recorder()) begin_trace(x, request.call);
  if (!request.body.empty()) request.call.body = shared_bytes(std::move(request.body));
  send(with_.api_server.handle(), std::move(request.call));
  return x;
}

void loop::begin_trace(exchange& x, const api::request& call) {
  constexpr std::string_view names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"};
  x.arrived_us = now_us_;  // when its last bytes were there to be read
  x.sent_us = steady_now_us();
  x.what.assign(names[static_cast<std::size_t>(call.verb)]).append(" ").append(call.target, 0, call.target.find('?'));
}

/// The request as a hop, from its arrival to its answer; recorded when that is on its way to the client.
void loop::end_trace(exchange& x) {
  trace::hop made;
  made.component = path();
  made.time_us = x.arrived_us;
  made.what = std::move(x.what);
  made.revision = x.answer.revision;
  made.id = x.id;
  made.marks = {{"sent", x.sent_us}, {"answered " + std::to_string(x.answer.code), steady_now_us()}};
  to_record_.push_back(std::move(made));
}

void loop::record_written(std::uint64_t at) {
  for (auto& one : to_record_) {
    one.marks.emplace_back("written", at);
    recorder()->add(one);
  }
  to_record_.clear();
}

exchange& loop::refuse(session& by, std::int32_t stream, http_request&& request, const status& why) {
  auto& x = make(by, stream, request);
  fail(x, why);
  return x;
}

void loop::fail(exchange& x, const status& why) {
  x.answer.code = why.code;
  x.answer.content_type = "application/json";
  if (why.retry_after_seconds > 0)
    x.answer.headers.emplace_back("Retry-After", std::to_string(why.retry_after_seconds));
  x.answer.body.clear();
  x.answer.body.emplace_back(shared_bytes(to_json(why)));
  present(x);
}

void loop::fail_plainly(exchange& x, std::uint16_t code, std::string text) {
  x.answer.code = code;
  x.answer.content_type = "text/plain; charset=utf-8";
  x.answer.headers.emplace_back("X-Content-Type-Options", "nosniff");
  x.answer.body.clear();
  x.answer.body.emplace_back(shared_bytes(std::move(text) + "\n"));
  present(x);
}

void loop::tell_unauthorized(const exchange& x) {
  const auto& by = x.owner->under();
  const auto& error = by.peer().error;
  tell_refused(by, "unauthorized", error.empty() ? std::string_view("neither token nor certificate is good") : error);
}

/// The answer is complete (or its watch accepted): gives it to the session.
void loop::present(exchange& x) {
  leave_flight(x);
  x.answered = true;
  if (x.answer.code == 401) tell_unauthorized(x);
  if (x.arrived_us > 0) end_trace(x);
  for (auto& part : x.answer.body) x.body.append(std::move(part));
  x.answer.body.clear();
  if (x.watch_id == 0) {
    x.length = x.body.size();
    choose_encoding(x);
    if (x.encoding.empty()) x.body.end();
  }
  x.owner->answer(x);
}

void loop::choose_encoding(exchange& x) {
  auto least = bounds().gzip_min_bytes;
  if (least == 0 || !x.accepts_gzip || x.is_head || x.length < least || x.answer.code >= 300) return;
  for (const auto& [name, value] : x.answer.headers)
    if (equals_lower(name, "content-encoding")) return;
  x.encoding = "gzip";
  x.length_known = false;
  x.body.set_source(std::make_unique<gzip_source>(x.body.take()));
}

void loop::leave_flight(exchange& x) {
  x.forwarded = false;
  if (!std::exchange(x.counted, false)) return;
  with_.where->leave(x.is_mutating);
}

void loop::on_response(api::response& answer) {
  auto found = exchanges_.find(answer.id);
  // Nobody waits: it was given up. A watch would go on for ever.
  if (found == exchanges_.end() || !found->second->forwarded) {
    return decline(answer);
  }
  auto& x = *found->second;
  if (!x.owner) {
    decline(answer);
    leave_flight(x);
    exchanges_.erase(found);
    return;
  }
  x.answer = std::move(answer);
  if (x.answer.watch_id != 0) start_watch(x);
  if (x.answer.stream_id != 0) start_stream(x);
  present(x);
  if (draining_ && x.watch) {
    stop_watch(x);
    x.watch->finish({});
    x.owner->resume(x);
  }
}

/// An answer that nobody waits for must not leave open what it opened.
void loop::decline(const api::response& answer) {
  if (answer.watch_id != 0) send(with_.api_server.handle(), api::watch_stop{answer.watch_id});
  if (answer.stream_id != 0 && with_.relay) pass(stream::close{answer.stream_id});
}

void loop::start_stream(exchange& x) {
  x.stream_id = x.answer.stream_id;
  stream_port& far_end = *this;
  x.tunnel = std::make_unique<upgraded>(x.upgrade, x.target, x.stream_id, far_end);
  streams_[x.stream_id] = &x;
  add<std::int64_t>(counts().streams_open, 1);
}

void loop::end_stream(exchange& x) {
  if (x.stream_id == 0 || streams_.erase(x.stream_id) == 0) return;
  add<std::int64_t>(counts().streams_open, -1);
  x.tunnel.reset();
}

/// The exchange of a session, or of one of its connections.
exchange* loop::stream_of(std::uint64_t id) {
  auto found = streams_.find(id >> stream::connection_bits << stream::connection_bits);
  return found == streams_.end() ? nullptr : found->second;
}

void loop::on_relay_gone() {
  for (auto& [id, x] : streams_) {
    x->tunnel->speaker().on_closed(
        {id, {container::fault::unavailable, "the stream was cut off by a failure inside the server"}});
    x->owner->resume(*x);
  }
}

void loop::start_watch(exchange& x) {
  x.watch_id = x.answer.watch_id;
  x.length_known = false;
  watch_head head;
  head.resource = resource_of(x.target);
  head.format = x.answer.format;
  head.table_options = x.answer.table_options;
  auto source = std::make_unique<watch_source>(std::move(head), &with_.renderer);
  if (x.answer.format == api::watch_format::raw && with_.relay)
    source->on_raw_taken([this, id = x.watch_id] { send(with_.relay.handle(), stream::log_taken{id}); });
  x.watch = source.get();
  x.body.set_source(std::move(source));
  watches_[x.watch_id] = &x;
  add<std::int64_t>(counts().watches_open, 1);
}

void loop::stop_watch(exchange& x) {
  if (x.watch_id == 0 || watches_.erase(x.watch_id) == 0) return;
  add<std::int64_t>(counts().watches_open, -1);
  send(with_.api_server.handle(), api::watch_stop{x.watch_id});
}

void loop::on_delivery(const api::watch_delivery& delivery) {
  // Batches that share their events are framed once.
  std::unordered_map<const void*, std::shared_ptr<framed_batch>> framed;
  for (const auto& batch : delivery.batches) {
    auto found = watches_.find(batch.watch_id);
    if (found == watches_.end()) {
      // Its stop is on the way, or overtook the order to open it; then only another one ends it.
      if (!batch.closed && batch.error.ok()) send(with_.api_server.handle(), api::watch_stop{batch.watch_id});
      continue;
    }
    auto& x = *found->second;
    if (!batch.raw.empty()) x.watch->push_raw(batch.raw);
    if (batch.events && !batch.events->empty()) {
      add<std::uint64_t>(counts().watch_events, batch.events->size());
      if (x.watch->head().format != api::watch_format::json) {
        x.watch->push_rendered(batch.events, wall_now_ms());
      } else {
        auto& shared = framed[batch.events.get()];
        if (!shared) shared = std::make_shared<framed_batch>(batch.events, x.watch->head().resource);
        x.watch->push(shared);
      }
    }
    if (batch.closed || !batch.error.ok()) {
      watches_.erase(found);  // the api_server has ended it
      add<std::int64_t>(counts().watches_open, -1);
      x.watch->finish(batch.error);
    }
    if (x.watch->backlog() > bounds().watch_backlog_bytes) {
      count(counts().watches_cut);
      stop_watch(x);
      x.owner->cut(x);
    } else {
      x.owner->resume(x);
    }
  }
}

void loop::release(exchange& x) {
  x.owner = nullptr;
  stop_watch(x);
  end_stream(x);
  // An unanswered one keeps its place: the api_server is still at work for it.
  if (!x.forwarded) exchanges_.erase(x.id);
}

void loop::on_api_server_gone() {
  std::vector<exchange*> open;
  open.reserve(watches_.size());
  for (auto& [id, x] : watches_) open.push_back(x);
  for (auto* x : open) {
    stop_watch(*x);
    x->watch->finish({});
    x->owner->resume(*x);
  }
  std::vector<std::uint64_t> unanswered;
  for (auto& [id, x] : exchanges_)
    if (x->forwarded) unanswered.push_back(id);
  for (auto id : unanswered) {
    auto found = exchanges_.find(id);
    if (found != exchanges_.end()) fail_unanswered(*found->second);
  }
}

/// What did not change anything may be tried again by the client; of a write nobody knows what became of it.
void loop::fail_unanswered(exchange& x) {
  count(counts().unanswered);
  if (!x.owner) {
    leave_flight(x);
    exchanges_.erase(x.id);
    return;
  }
  bool in_time = now_us_ < x.deadline_us;
  status why;
  if (in_time && !x.is_mutating) {
    why = make_status(reason::service_unavailable, "the api_server was restarted while it worked on this request");
    why.retry_after_seconds = 1;
  } else {
    why = make_status(reason::timeout, "Timeout: request did not complete within the allotted timeout");
  }
  fail(x, why);
}

}  // namespace troupe::gateway
