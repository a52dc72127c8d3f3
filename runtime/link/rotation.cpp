// See rotation.hpp.
#include "runtime/link/rotation.hpp"

#include <memory>
#include <utility>

#include "runtime/answer_text.hpp"
#include "runtime/api_session.hpp"
#include "runtime/certificate_request.hpp"
#include "runtime/component.hpp"
#include "runtime/log.hpp"

namespace troupe::link {
namespace {

using runtime::log_level;

constexpr const char* signing_requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

result<document> parsed_answer(const api::response& answer) {
  if (!answer.error.ok()) return answer.error;
  return document::parse(runtime::answer_text(answer));
}

/// One at a time: the session is the current one's.
class rotation final : public runtime::component<api::client_actor> {
 public:
  rotation(caf::actor_config& settings, rotation_options how)
      : component(settings, "certificates"), how_(std::move(how)) {}

  behavior_type make_behavior() override {
    look_from(0);
    return {[this](const api::response& m) {
              if (session_) session_->handle(m);
            },
            [](const api::watch_delivery&) {}};
  }

 private:
  /// Looks at the files from that one on, and stops at the first that has to be renewed.
  void look_from(std::size_t index) {
    auto now = static_cast<std::int64_t>(wall_now_ms() / 1000);
    for (; index < how_.all.size(); ++index) {
      auto certificate = pki::read_file(how_.all[index].files.certificate);
      if (!certificate || pki::renewal_due(*certificate, now)) return begin(index);
    }
    after(std::exchange(no_link_, false) ? how_.poll : how_.look, [this] { look_from(0); });
  }

  void begin(std::size_t index) {
    current_ = index;
    const auto& one = how_.all[index];
    pki::subject who;
    who.common_name = one.what.common_name;
    who.organizations = one.what.organizations;
    auto made = pki::make_request(who);
    if (!made) return end(made.error());
    key_ = made->private_key;
    runtime::session_options how;
    how.user = runtime::component_user(who.common_name, who.organizations);
    how.user_agent = "certificates";
    how.level = urgency::reporting;
    session_ = std::make_unique<runtime::api_session>(*this, one.server, how);
    session_->call(runtime::post(signing_requests, pki::request_json(one.what, made->request)),
                   [this](const api::response& answer) { posted(answer); });
  }

  void posted(const api::response& answer) {
    auto doc = parsed_answer(answer);
    if (!doc) return end(doc.error());
    const troupe::node* name = doc->root().find("metadata", "name");
    if (!name) return end(internal_error("the request has no name"));
    target_ = std::string(signing_requests) + "/" + std::string(name->string());
    poll(how_.polls);
  }

  void poll(int left) {
    if (left == 0) return end(make_status(reason::timeout, "nobody approved " + target_));
    after(how_.poll, [this, left] {
      session_->call(runtime::get(target_), [this, left](const api::response& answer) { looked(answer, left); });
    });
  }

  void looked(const api::response& answer, int left) {
    auto doc = parsed_answer(answer);
    if (!doc) return end(doc.error());
    auto granted = pki::granted_certificate(doc->root());
    if (!granted) return end(granted.error());
    const auto& certificate = *granted;
    if (!certificate) return poll(left - 1);
    end(take(*certificate));
  }

  status take(const std::string& certificate) const {
    const auto& one = how_.all[current_];
    pki::key_pair pair{certificate, key_};
    if (!pki::key_matches(pair)) return internal_error("the certificate is of another key");
    if (auto bad = pki::replace_pair(one.files, pair); !bad.ok()) return bad;
    log(log_level::info, "certificates.renewed",
        "name=" + one.name + " ends=" + std::to_string(pki::not_after(certificate)));
    return {};
  }

  /// The next one; one that failed is looked at again in the next round.
  void end(const status& how_it_went) {
    if (!how_it_went.ok())
      log(log_level::warn, "certificates.not_renewed",
          "name=" + how_.all[current_].name + " why=" + runtime::log_value(how_it_went.message));
    no_link_ = no_link_ || how_it_went.why == reason::service_unavailable;
    key_.clear();
    post([this] {  // the session may be what is calling
      session_.reset();
      look_from(current_ + 1);
    });
  }

  rotation_options how_;
  std::unique_ptr<runtime::api_session> session_;
  std::size_t current_ = 0;
  bool no_link_ = false;  // of this round: one could not ask, and does so again soon
  std::string key_, target_;
};

}  // namespace

runtime::child_spec rotation_child(rotation_options how) {
  return runtime::child<api::client_actor>(
      "certificates", [how = std::move(how)](caf::actor_system& in) { return in.spawn<rotation>(how); });
}

}  // namespace troupe::link
