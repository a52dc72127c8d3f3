// What the runtime's actor tests share: a small actor that can be crashed, and an api_server that does as it is told.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/send.hpp>

#include "messages/api_server.hpp"
#include "messages/schema/schema.hpp"
#include "runtime/component.hpp"
#include "runtime/simulation/world.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::runtime::testing {

using namespace std::chrono_literals;

/// A numbered message; a negative number makes the receiver throw.
struct ping {
  int number = 0;
};

using worker_actor = caf::typed_actor<caf::reacts_to<ping>>;

/// What workers leave behind for the test.
struct diary {
  std::vector<std::string> lines;
  std::vector<int> numbers;
  std::vector<std::uint64_t> starts_us;
};

/// Notes starts, numbers and ends.
class worker final : public component<worker_actor> {
 public:
  worker(caf::actor_config& settings, const std::string& name, std::shared_ptr<diary> book)
      : component(settings, name), book_(std::move(book)) {
    book_->starts_us.push_back(steady_now_us());
    book_->lines.push_back("start " + path() + " " + std::to_string(incarnation()));
  }
  behavior_type make_behavior() override {
    return {[this](const ping& message) {
      if (message.number < 0) throw std::runtime_error("negative");
      book_->numbers.push_back(message.number);
    }};
  }
  void on_exit() override { book_->lines.push_back("end " + path()); }

 private:
  std::shared_ptr<diary> book_;
};

/// An object as the api_server would hand it out.
inline object_ptr config_map(const std::string& name, std::uint64_t revision, const std::string& uid,
                             const std::string& value = "v") {
  auto resource = schema::find_resource("", "v1", "configmaps");
  auto json = R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":")" + name +
              R"(","namespace":"default","uid":")" + uid + R"("},"data":{"k":")" + value + R"("}})";
  auto made = make_object(resource, json, revision, revision);
  if (!made) throw std::runtime_error(made.error().message);
  return *made;
}

/// What the scripted api_server was asked, and its means to answer.
struct script {
  struct asked {
    api::request request;
    caf::actor_addr by;  // does not keep it: it would outlive its system
  };
  std::vector<asked> requests;
  std::vector<std::uint64_t> stopped;
  /// Called for each request; may answer at once.
  std::function<void(const asked&)> on_request;

  static void answer(const asked& to, api::response with) {
    with.id = to.request.id;
    caf::anon_send(caf::actor_cast<api::client_actor>(to.by), std::move(with));
  }
  static void answer_error(const asked& to, status why) {
    api::response with;
    with.code = why.code;
    with.error = std::move(why);
    answer(to, std::move(with));
  }
  static void accept_watch(const asked& to, std::uint64_t watch_id) {
    api::response with;
    with.watch_id = watch_id;
    answer(to, std::move(with));
  }
  static void deliver(const asked& to, std::uint64_t watch_id, std::vector<api::watch_event> events) {
    api::watch_delivery delivery;
    api::watch_batch batch;
    batch.watch_id = watch_id;
    batch.events = std::make_shared<const std::vector<api::watch_event>>(std::move(events));
    delivery.batches.push_back(std::move(batch));
    caf::anon_send(caf::actor_cast<api::client_actor>(to.by), std::move(delivery));
  }
  static void close(const asked& to, std::uint64_t watch_id, status why = {}) {
    api::watch_delivery delivery;
    api::watch_batch batch;
    batch.watch_id = watch_id;
    batch.closed = true;
    batch.error = std::move(why);
    delivery.batches.push_back(std::move(batch));
    caf::anon_send(caf::actor_cast<api::client_actor>(to.by), std::move(delivery));
  }
};

inline api::watch_event added(const object_ptr& one) { return {api::event_type::added, one, one->revision, false}; }
inline api::watch_event modified(const object_ptr& one) {
  return {api::event_type::modified, one, one->revision, false};
}
inline api::watch_event deleted(object_ptr one, std::uint64_t revision) {
  return {api::event_type::deleted, std::move(one), revision, false};
}
inline api::watch_event bookmark(std::uint64_t revision, bool initial_end = false) {
  return {api::event_type::bookmark, nullptr, revision, initial_end};
}

/// An api_server that notes requests and answers by the script.
class scripted_server final : public component<api::api_server_actor> {
 public:
  scripted_server(caf::actor_config& settings, std::shared_ptr<script> plan)
      : component(settings, "api_server"), plan_(std::move(plan)) {}
  behavior_type make_behavior() override {
    return {[this](const api::request& request) {
              plan_->requests.push_back({request, caf::actor_cast<caf::actor_addr>(current_sender())});
              if (plan_->on_request) plan_->on_request(script::asked(plan_->requests.back()));
            },
            [this](const api::watch_stop& stop) { plan_->stopped.push_back(stop.watch_id); }};
  }

 private:
  std::shared_ptr<script> plan_;
};

}  // namespace troupe::runtime::testing

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::testing::ping)
