// A small api_server for actor tests: keeps objects, serves watches, knows binding, status patches and graceful
// deletion. It judges nothing; what real requests mean is tested with the real one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "messages/api_server.hpp"
#include "messages/document.hpp"
#include "messages/schema/schema.hpp"
#include "runtime/component.hpp"

namespace troupe::testing {

/// What the small api_server holds; the test reads and changes it between runs.
struct small_world {
  struct watch {
    caf::actor_addr by;      // does not keep it: it would outlive its system
    std::string collection;  // "/api/v1/pods"
    std::string node;        // field selector spec.nodeName
  };
  std::map<std::string, object_ptr> objects;  // by path, "/api/v1/namespaces/default/pods/web"
  std::map<std::uint64_t, watch> watches;
  std::uint64_t revision = 10;
  std::uint64_t next = 1;
  std::vector<std::string> requests;  // "POST /api/v1/nodes"
  std::vector<std::string> events;    // "Started Container started"
  /// May refuse: gives the status to answer with.
  std::function<status(const api::request&)> refuse;
};

class small_api final : public runtime::component<api::api_server_actor> {
 public:
  small_api(caf::actor_config& settings, std::shared_ptr<small_world> world)
      : component(settings, "api_server"), world_(std::move(world)) {}
  behavior_type make_behavior() override {
    return {[this](const api::request& r) { on_request(r); },
            [this](const api::watch_stop& stop) { world_->watches.erase(stop.watch_id); }};
  }

  /// Puts an object and tells the watches. `path` without subresource.
  void put(const std::string& path, const std::string& text) {
    auto doc = document::parse(text);
    doc->remove(*doc->root().find("metadata"), "resourceVersion");  // the stored form has none
    auto json = to_json(doc->root());
    auto& w = *world_;
    auto& old = w.objects[path];
    auto before = old;
    auto plural = collection_of(path);
    auto resource = plural.find("leases") != plural.npos ? schema::find_resource("coordination.k8s.io", "v1", "leases")
                                                         : schema::find_resource("", "v1", plural.substr(8));
    ++w.revision;
    auto made = make_object(resource, json, w.revision, before ? before->created : w.revision);
    if (!made) throw std::runtime_error(made.error().message + " in " + json);
    old = *made;
    auto now = old;
    tell(path, before ? api::event_type::modified : api::event_type::added, before, now);
  }
  void erase(const std::string& path) {
    auto last = world_->objects[path];
    world_->objects.erase(path);
    ++world_->revision;
    tell(path, api::event_type::deleted, last, last);
  }

 private:
  /// "/api/v1/namespaces/x/pods/y" -> "/api/v1/pods".
  static std::string collection_of(const std::string& path) {
    auto at = path.rfind('/');
    auto base = path.substr(0, at);
    auto ns = base.find("/namespaces/");
    if (ns == base.npos) return base;
    auto next = base.find('/', ns + 12);
    return next == base.npos ? base : base.substr(0, ns) + base.substr(next);
  }
  bool selected(const small_world::watch& w, const object_ptr& o) const {
    return o && (w.node.empty() || o->node_name == w.node);
  }
  void tell(const std::string& path, api::event_type type, const object_ptr& before, const object_ptr& now) {
    for (auto& [id, w] : world_->watches) {
      if (w.collection != collection_of(path)) continue;
      auto shown = type;
      if (type == api::event_type::modified && !selected(w, before)) shown = api::event_type::added;
      if (!selected(w, now)) continue;
      send_events(id, {{shown, now, world_->revision, false}});
    }
  }
  void send_events(std::uint64_t id, std::vector<api::watch_event> events) {
    api::watch_delivery delivery;
    api::watch_batch batch;
    batch.watch_id = id;
    batch.events = std::make_shared<const std::vector<api::watch_event>>(std::move(events));
    delivery.batches.push_back(std::move(batch));
    if (auto to = caf::actor_cast<caf::strong_actor_ptr>(world_->watches.at(id).by)) send_to(to, std::move(delivery));
  }

  void answer(const api::request& r, api::response out) {
    out.id = r.id;
    if (current_sender()) send_to(current_sender(), std::move(out));
  }
  void fail(const api::request& r, status why) {
    api::response out;
    out.code = why.code;
    out.error = std::move(why);
    answer(r, std::move(out));
  }
  void succeed(const api::request& r, std::uint16_t code, object_ptr object) {
    api::response out;
    out.code = code;
    out.object = std::move(object);
    answer(r, std::move(out));
  }

  void on_request(const api::request& r) {
    static const char* names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "?"};
    auto path = r.target.substr(0, r.target.find('?'));
    world_->requests.push_back(names[static_cast<int>(r.verb)] + (" " + path));
    if (world_->refuse)
      if (auto why = world_->refuse(r); !why.ok()) return fail(r, why);
    if (r.target.find("watch=true") != r.target.npos) return open_watch(r, path);
    switch (r.verb) {
      case api::method::get:
        return get(r, path);
      case api::method::post:
        return post(r, path);
      case api::method::patch:
        return patch(r, path);
      case api::method::del:
        return del(r, path);
      default:
        return fail(r, make_status(reason::method_not_allowed, "no"));
    }
  }

  void open_watch(const api::request& r, const std::string& path) {
    auto id = world_->next++;
    small_world::watch w{caf::actor_cast<caf::actor_addr>(current_sender()), path, {}};
    if (auto at = r.target.find("spec.nodeName"); at != r.target.npos) {
      auto text = r.target.substr(at + 13);
      text = text.substr(text[0] == '=' ? 1 : 3);
      w.node = text.substr(0, text.find('&'));
    }
    world_->watches[id] = w;
    api::response out;
    out.watch_id = id;
    answer(r, std::move(out));
    std::vector<api::watch_event> events;
    for (auto& [key, one] : world_->objects)
      if (collection_of(key) == path && selected(w, one))
        events.push_back({api::event_type::added, one, one->revision, false});
    events.push_back({api::event_type::bookmark, nullptr, world_->revision, true});
    send_events(id, std::move(events));
  }

  void get(const api::request& r, const std::string& path) {
    auto found = world_->objects.find(path);
    if (found == world_->objects.end()) return fail(r, make_status(reason::not_found, path + " not found"));
    succeed(r, 200, found->second);
  }

  void post(const api::request& r, const std::string& path) {
    auto doc = document::parse(r.body.view());
    if (!doc) return fail(r, doc.error());
    if (path.find("/events") != path.npos) {
      world_->events.push_back(std::string(doc->root().find("reason")->string()) + " " +
                               std::string(doc->root().find("message")->string()));
      return succeed(r, 201, nullptr);
    }
    if (auto at = path.find("/binding"); at != path.npos) {
      auto pod = path.substr(0, at);
      if (!world_->objects.count(pod)) return fail(r, make_status(reason::not_found, "pods not found"));
      auto now = document::parse(world_->objects[pod]->json.view());
      now->set(*now->root().find("spec"), "nodeName", doc->root().find("target", "name")->string());
      put(pod, to_json(now->root()));
      return succeed(r, 201, nullptr);
    }
    auto name = std::string(doc->root().find("metadata", "name")->string());
    auto key = path + "/" + name;
    if (world_->objects.count(key)) return fail(r, make_status(reason::already_exists, name + " already exists"));
    doc->set(*doc->root().find("metadata"), "uid", "uid-" + name);
    put(key, to_json(doc->root()));
    succeed(r, 201, world_->objects[key]);
  }

  /// Members of "status" and "spec" are replaced, conditions by type.
  void patch(const api::request& r, std::string path) {
    if (path.size() > 7 && path.compare(path.size() - 7, 7, "/status") == 0) path.resize(path.size() - 7);
    auto found = world_->objects.find(path);
    if (found == world_->objects.end()) return fail(r, make_status(reason::not_found, path + " not found"));
    auto change = document::parse(r.body.view());
    auto now = document::parse(found->second->json.view());
    for (const char* part : {"status", "spec"}) {
      auto* from = change->root().find(part);
      if (!from) continue;
      auto& to = now->set(now->root(), part);
      for (auto* m = from->begin_members(); m != from->end_members(); ++m) now->set(to, m->key, now->clone(m->value));
    }
    put(path, to_json(now->root()));
    succeed(r, 200, world_->objects[path]);
  }

  void del(const api::request& r, const std::string& path) {
    if (!world_->objects.count(path)) return fail(r, make_status(reason::not_found, path + " not found"));
    bool now = r.body.view().find("\"gracePeriodSeconds\":0") != std::string_view::npos;
    if (now || path.find("/pods/") == path.npos) {
      erase(path);
      return succeed(r, 200, nullptr);
    }
    auto doc = document::parse(world_->objects[path]->json.view());
    auto& meta = *doc->root().find("metadata");
    doc->set(meta, "deletionTimestamp", "2023-11-14T22:20:00Z");
    doc->set(meta, "deletionGracePeriodSeconds", 30);
    put(path, to_json(doc->root()));
    succeed(r, 200, world_->objects[path]);
  }

  std::shared_ptr<small_world> world_;
};

}  // namespace troupe::testing
