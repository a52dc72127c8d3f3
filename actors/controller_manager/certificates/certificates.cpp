// See certificates.hpp.
#include "actors/controller_manager/certificates/certificates.hpp"

#include <set>
#include <utility>

#include "actors/controller_manager/certificates/core.hpp"
#include "messages/schema/scalars.hpp"
#include "runtime/answer_text.hpp"
#include "runtime/api_session.hpp"
#include "runtime/certificate_request.hpp"
#include "runtime/component.hpp"
#include "runtime/informer.hpp"

namespace troupe::certificates {
namespace {

using runtime::log_level;

constexpr const char* collection = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
constexpr std::chrono::seconds retry_after{2};
constexpr std::chrono::hours sweep_every{1};  // cleaner's pollingInterval

class signer final : public runtime::component<api::client_actor> {
 public:
  signer(caf::actor_config& settings, const runtime::stable_ref<api::api_server_actor>& server, pki::key_pair authority)
      : component(settings, "certificates"),
        authority_(std::move(authority)),
        session_(*this, server, session_settings()),
        requests_(session_, selection(), handlers()) {}

  behavior_type make_behavior() override {
    requests_.start();
    return {[this](const api::response& m) { session_.handle(m); },
            [this](const api::watch_delivery& m) { session_.handle(m); }};
  }

 private:
  static runtime::session_options session_settings() {
    runtime::session_options out;
    out.user = runtime::service_account_user("kube-system", account);
    out.watch_user = runtime::component_user("system:kube-controller-manager");
    out.user_agent = account;
    return out;
  }
  static runtime::informer_options selection() {
    runtime::informer_options out;
    out.collection = collection;
    return out;
  }
  runtime::informer_handlers handlers() {
    runtime::informer_handlers out;
    out.added = [this](const object_ptr& now) { look_at(now); };
    out.modified = [this](const object_ptr&, const object_ptr& now) { look_at(now); };
    out.synced = [this] {
      if (!std::exchange(sweeping_, true)) sweep();
    };
    return out;
  }

  /// Deletes what has served its time.
  void sweep() {
    for (const auto& [name, what] : requests_.objects()) {
      auto doc = document::parse(what->json.view());
      if (!doc) continue;
      const troupe::node* issued = doc->root().find("status", "certificate");
      auto ends = issued ? pki::not_after(schema::from_base64(issued->string())) : 0;
      if (has_served(doc->root(), ends, wall_now_ms())) remove(*what);
    }
    after(sweep_every, [this] { sweep(); });
  }

  void remove(const object& what) {
    auto body =
        R"({"kind":"DeleteOptions","apiVersion":"v1","preconditions":{"uid":")" + std::string(what.uid) + "\"}}";
    session_.call(runtime::del(std::string(collection).append("/").append(what.name), std::move(body)),
                  [this, name = std::string(what.name)](const api::response& answer) {
                    auto level = answer.error.ok() ? log_level::info : log_level::warn;
                    log(level, "certificates.removed", "request=" + name + " answer=" + answer.error.message);
                  });
  }

  void look_at(const object_ptr& what) {
    auto doc = document::parse(what->json.view());
    if (!doc) return;
    auto facts = facts_of(doc->root());
    auto pem = request_of(doc->root());
    if (auto asked = pki::read_request(pem))
      facts.asked = {true, asked->common_name, asked->organizations, !asked->names.empty() || asked->others};
    auto which = judge(facts);
    if (which == verdict::nothing || !busy_.insert(std::string(what->name)).second) return;
    if (which == verdict::sign)
      sign(what, *doc, facts, pem);
    else
      review(what, *doc, which, facts);
  }

  static std::string request_of(const troupe::node& object) {
    const troupe::node* found = object.find("spec", "request");
    return found ? schema::from_base64(found->string()) : std::string();
  }

  /// Whether the requester may have such a certificate is what a SubjectAccessReview says.
  void review(const object_ptr& what, const document& doc, verdict which, const request_facts& facts) {
    document body;
    body.make_object(body.root());
    body.set(body.root(), "kind", "SubjectAccessReview");
    body.set(body.root(), "apiVersion", "authorization.k8s.io/v1");
    auto& spec = body.set(body.root(), "spec");
    body.make_object(spec);
    constexpr std::pair<const char*, const char*> fields[] = {
        {"username", "user"}, {"uid", "uid"}, {"groups", "groups"}, {"extra", "extra"}};
    for (auto [from, to] : fields)
      if (const troupe::node* found = doc.root().find("spec", from)) body.set(spec, to, body.clone(*found));
    auto& attributes = body.set(spec, "resourceAttributes");
    body.make_object(attributes);
    body.set(attributes, "verb", "create");
    body.set(attributes, "group", "certificates.k8s.io");
    body.set(attributes, "version", "*");
    body.set(attributes, "resource", "certificatesigningrequests");
    body.set(attributes, "subresource", permission_of(which));
    session_.call(runtime::post("/apis/authorization.k8s.io/v1/subjectaccessreviews", to_json(body.root())),
                  [this, what, which, facts](const api::response& answer) { reviewed(what, which, facts, answer); });
  }

  void reviewed(const object_ptr& what, verdict which, const request_facts& facts, const api::response& answer) {
    if (!answer.error.ok()) return again(what, answer.error.message);
    auto verdict_of_server = body_of(answer);
    const troupe::node* allowed = verdict_of_server ? verdict_of_server->root().find("status", "allowed") : nullptr;
    if (!allowed || !allowed->boolean(false)) return leave(what, "forbidden");
    if (needs_new_name(which, facts)) return look_for_node(what, which, node_asked_for(facts));
    approve(what, which);
  }

  static result<document> body_of(const api::response& answer) { return document::parse(runtime::answer_text(answer)); }

  /// An administrator may still approve it; a change of rights is seen when the request changes.
  void leave(const object_ptr& what, const char* why) {
    busy_.erase(std::string(what->name));
    log(log_level::info, "certificates.not_approved", "request=" + std::string(what->name) + " why=" + why);
  }

  /// As the informers of the controller manager: this controller's own role has nothing about nodes.
  void look_for_node(const object_ptr& what, verdict which, const std::string& name) {
    auto list = runtime::get("/api/v1/nodes?fieldSelector=" + runtime::url_encode("metadata.name=" + name));
    list.user = session_settings().watch_user;
    session_.call(std::move(list), [this, what, which](const api::response& answer) {
      if (!answer.error.ok()) return again(what, answer.error.message);
      auto found = body_of(answer);
      const troupe::node* items = found ? found->root().find("items") : nullptr;
      if (!items || !items->is_array()) return again(what, "the list of nodes cannot be read");
      if (!items->empty()) return leave(what, "\"there is a Node of this name\"");
      approve(what, which);
    });
  }

  void approve(const object_ptr& what, verdict which) {
    auto doc = document::parse(what->json.view());
    auto& status = doc->set(doc->root(), "status");
    if (!status.is_object()) doc->make_object(status);
    auto& conditions = doc->set(status, "conditions");
    if (!conditions.is_array()) doc->make_array(conditions);
    auto& one = doc->append(conditions);
    doc->make_object(one);
    doc->set(one, "type", "Approved");
    doc->set(one, "status", "True");
    doc->set(one, "reason", "AutoApproved");
    doc->set(one, "message", message_of(which));
    write(what, "approval", to_json(doc->root()), "certificates.approved");
  }

  void sign(const object_ptr& what, document& doc, const request_facts& facts, const std::string& pem) {
    pki::subject grant;
    grant.client = true;
    grant.not_before = static_cast<std::int64_t>(wall_now_ms() / 1000);
    grant.valid_seconds = lifetime_of(facts);
    auto made = pki::sign_request(authority_, pem, grant);
    if (!made) return again(what, made.error().message);
    auto& status = doc.set(doc.root(), "status");
    if (!status.is_object()) doc.make_object(status);
    doc.set(status, "certificate", schema::to_base64(*made));
    write(what, "status", to_json(doc.root()), "certificates.signed");
  }

  void write(const object_ptr& what, const char* subresource, std::string body, const char* event) {
    auto target = std::string(collection).append("/").append(what->name).append("/").append(subresource);
    session_.call(runtime::put(std::move(target), std::move(body)), [this, what, event](const api::response& answer) {
      if (!answer.error.ok()) return again(what, answer.error.message);
      busy_.erase(std::string(what->name));
      log(log_level::info, event, "request=" + std::string(what->name));
      // What came while this was under way was passed over.
      if (auto now = requests_.find(what->name); now && now->revision >= answer.revision) look_at(now);
    });
  }

  /// Looks again a little later, at what it is then.
  void again(const object_ptr& what, const std::string& why) {
    log(log_level::warn, "certificates.failed", "request=" + std::string(what->name) + " why=" + why);
    after(retry_after, [this, name = std::string(what->name)] {
      busy_.erase(name);
      if (auto now = requests_.find(name)) look_at(now);
    });
  }

  pki::key_pair authority_;
  runtime::api_session session_;
  runtime::informer requests_;
  bool sweeping_ = false;
  std::set<std::string> busy_;  // names of requests that are being worked on
};

}  // namespace

runtime::child_spec signer_child(const runtime::stable_ref<api::api_server_actor>& server, pki::key_pair authority) {
  return runtime::child<api::client_actor>(
      "certificates", [server, authority = std::move(authority)](caf::actor_system& in) -> api::client_actor {
        return in.spawn<signer>(server, authority);
      });
}

}  // namespace troupe::certificates
