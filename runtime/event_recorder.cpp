// Writing Kubernetes Events.
#include "runtime/event_recorder.hpp"

#include <algorithm>
#include <cstdio>

#include "messages/document.hpp"
#include "messages/schema/schema.hpp"
#include "messages/wall_time.hpp"

namespace troupe::runtime {

namespace {

constexpr std::size_t max_known = 4096;       // distinct events remembered for counting
constexpr std::size_t max_waiting = 4096;     // writes; client-go keeps 1,000
constexpr std::uint64_t refill_ms = 300'000;  // one token
constexpr double burst = 25;

}  // namespace

event_subject subject_of(const object& one) {
  event_subject subject;
  auto all = schema::resources();
  if (one.resource < all.size()) {
    const auto& known = all[one.resource];
    subject.kind = known.kind;
    subject.api_version =
        known.group.empty() ? std::string(known.version) : std::string(known.group).append("/").append(known.version);
  }
  subject.namespace_name = one.namespace_name;
  subject.name = one.name;
  subject.uid = one.uid;
  subject.revision = one.revision;
  return subject;
}

event_recorder::event_recorder(api_session& session, std::string component, std::string host)
    : session_(session), component_(std::move(component)), host_(std::move(host)) {}

void event_recorder::normal(const event_subject& about, std::string_view reason, std::string_view message) {
  record(about, "Normal", reason, message);
}

void event_recorder::warning(const event_subject& about, std::string_view reason, std::string_view message) {
  record(about, "Warning", reason, message);
}

bool event_recorder::allowed(const event_subject& about) {
  auto now = session_.owner().steady_now_us() / 1000;
  if (allowances_.size() >= max_known) allowances_.clear();
  auto [found, fresh] = allowances_.try_emplace(about.kind + "/" + about.namespace_name + "/" + about.name + about.uid);
  auto& left = found->second;
  if (!fresh) left.tokens = std::min(burst, left.tokens + static_cast<double>(now - left.refilled_ms) / refill_ms);
  left.refilled_ms = now;
  if (left.tokens < 1) return false;
  left.tokens -= 1;
  return true;
}

void event_recorder::enqueue(const std::string& key, api::request request) {
  waiting_.push_back({key, std::move(request)});
  if (!under_way_) send_next();
}

void event_recorder::send_next() {
  under_way_ = !waiting_.empty();
  if (!under_way_) return;
  auto next = std::move(waiting_.front());
  waiting_.pop_front();
  auto done = [this, key = std::move(next.key)](const api::response& answer) {
    // A count on an Event that has expired, or one that was refused: the next occurrence makes it anew.
    if (!answer.error.ok()) known_.erase(key);
    send_next();
  };
  session_.call_at(urgency::reporting, std::move(next.request), std::move(done));
}

void event_recorder::record(const event_subject& about, std::string_view type, std::string_view reason,
                            std::string_view message) {
  if (!allowed(about)) return;
  if (waiting_.size() >= max_waiting) {
    ++dropped_;
    return;
  }
  std::string key =
      about.kind + '\n' + about.namespace_name + '\n' + about.name + '\n' + about.uid + '\n' + about.field_path + '\n';
  key.append(type).append("\n").append(reason).append("\n").append(message);
  auto found = known_.find(key);
  if (found != known_.end())
    count_up(key, found->second, message);
  else
    create(key, about, type, reason, message);
}

void event_recorder::create(const std::string& key, const event_subject& about, std::string_view type,
                            std::string_view reason, std::string_view message) {
  auto& owner = session_.owner();
  auto now = time_text(owner.wall_now_ms());
  char suffix[24];
  std::snprintf(suffix, sizeof suffix, ".%016llx", static_cast<unsigned long long>(owner.random_u64()));
  known_event made;
  made.namespace_name = about.namespace_name.empty() ? "default" : about.namespace_name;
  made.name = about.name + suffix;
  made.first_time = now;

  document doc;
  auto& root = doc.root();
  doc.make_object(root);
  doc.set(root, "kind", "Event");
  doc.set(root, "apiVersion", "v1");
  auto& meta = doc.set(root, "metadata");
  doc.set(meta, "name", made.name);
  doc.set(meta, "namespace", made.namespace_name);
  auto& involved = doc.set(root, "involvedObject");
  doc.set(involved, "kind", about.kind);
  if (!about.namespace_name.empty()) doc.set(involved, "namespace", about.namespace_name);
  doc.set(involved, "name", about.name);
  if (!about.uid.empty()) doc.set(involved, "uid", about.uid);
  doc.set(involved, "apiVersion", about.api_version);
  if (about.revision != 0) doc.set(involved, "resourceVersion", std::to_string(about.revision));
  if (!about.field_path.empty()) doc.set(involved, "fieldPath", about.field_path);
  doc.set(root, "reason", reason);
  doc.set(root, "message", message);
  auto& source = doc.set(root, "source");
  doc.set(source, "component", component_);
  if (!host_.empty()) doc.set(source, "host", host_);
  doc.set(root, "firstTimestamp", now);
  doc.set(root, "lastTimestamp", now);
  doc.set(root, "count", 1);
  doc.set(root, "type", type);
  doc.set(root, "reportingComponent", component_);
  doc.set(root, "reportingInstance", host_);

  if (order_.size() >= max_known) {
    known_.erase(order_.front());
    order_.pop_front();
  }
  auto target = "/api/v1/namespaces/" + made.namespace_name + "/events";
  known_.emplace(key, std::move(made));
  order_.push_back(key);
  enqueue(key, post(std::move(target), to_json(root)));
}

void event_recorder::count_up(const std::string& key, known_event& known, std::string_view message) {
  document doc;
  auto& root = doc.root();
  doc.make_object(root);
  doc.set(root, "count", static_cast<std::int64_t>(++known.count));
  doc.set(root, "lastTimestamp", time_text(session_.owner().wall_now_ms()));
  doc.set(root, "message", message);
  enqueue(key, patch("/api/v1/namespaces/" + known.namespace_name + "/events/" + known.name, to_json(root)));
}

}  // namespace troupe::runtime
