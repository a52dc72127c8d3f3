// The client: each question becomes one or two CRI calls.
#include "actors/container_runtime/cri/module/connection.hpp"

namespace troupe::cri {
namespace {

using namespace std::chrono_literals;
using container::failure;
using container::fault;

// A runtime that does not answer within these is as good as gone.
constexpr auto quick = 30s;         // questions
constexpr auto patient = 240s;      // what makes or ends something
constexpr auto pull_limit = 3600s;  // an image of many GB over a slow line
constexpr std::size_t output_limit = 16 << 10;

#define RUNTIME(name) "/runtime.v1.RuntimeService/" name
#define IMAGES(name) "/runtime.v1.ImageService/" name

class grpc_client final : public client {
 public:
  explicit grpc_client(const char* socket) : connection_(socket) {}
  ~grpc_client() override { connection_.close(); }

  void ask(question what, const container::label_list& marks, done on_done) override {
    std::visit([&](auto& one) { start(one, marks, std::move(on_done)); }, what);
  }

 private:
  using labels = container::label_list;

  void start(container::operation& what, const labels& marks, done on_done) {
    std::visit([&](auto& one) { start(one, marks, std::move(on_done)); }, what);
  }

  /// A call whose answer `convert` makes of the response. Running out of time leaves open what happened.
  template <class Response, class Request, class Convert>
  void call(const char* method, const Request& request, std::chrono::seconds limit, done on_done, Convert convert,
            bool makes = false) {
    connection_.call<Response>(
        method, request, limit,
        [on_done = std::move(on_done), convert = std::move(convert), method](failure error, const Response& response) {
          if (error.ok()) return on_done({}, convert(response));
          if (error.code == fault::deadline_exceeded)
            error = {fault::unavailable, std::string("no answer in time from the container runtime to ") + method};
          on_done(std::move(error), container::done{});
        },
        makes);
  }
  template <class Response, class Request>
  void call(const char* method, const Request& request, std::chrono::seconds limit, done on_done) {
    call<Response>(method, request, limit, std::move(on_done), [](const Response&) { return container::done{}; });
  }
  /// Ending something that is gone is a success.
  template <class Response, class Request>
  void end(const char* method, const Request& request, std::chrono::seconds limit, done on_done) {
    call<Response>(method, request, limit, [on_done = std::move(on_done)](failure error, answer what) {
      if (error.code == fault::not_found) error = {};
      on_done(std::move(error), std::move(what));
    });
  }

  // -- the runtime

  void start(container::get_version&, const labels&, done on_done) {
    call<pb::VersionResponse>(RUNTIME("Version"), pb::VersionRequest(), quick, std::move(on_done), [](auto& r) {
      return container::version_info{r.runtime_name(), r.runtime_version(), r.runtime_api_version()};
    });
  }
  void start(container::get_status&, const labels&, done on_done) {
    call<pb::StatusResponse>(RUNTIME("Status"), pb::StatusRequest(), quick, std::move(on_done),
                             [](auto& r) { return read(r.status()); });
  }
  void start(container::update_network& what, const labels&, done on_done) {
    pb::UpdateRuntimeConfigRequest out;
    out.mutable_runtime_config()->mutable_network_config()->set_pod_cidr(what.pod_cidr);
    call<pb::UpdateRuntimeConfigResponse>(RUNTIME("UpdateRuntimeConfig"), out, quick, std::move(on_done));
  }

  // -- sandboxes

  void start(container::run_sandbox& what, const labels& marks, done on_done) {
    pb::RunPodSandboxRequest out;
    write(what.config, *out.mutable_config());
    write(marks, *out.mutable_config()->mutable_labels());
    out.set_runtime_handler(what.config.runtime_handler);
    call<pb::RunPodSandboxResponse>(
        RUNTIME("RunPodSandbox"), out, patient,
        [this, on_done = std::move(on_done)](failure error, answer what_came) {
          if (!error.ok()) return on_done(std::move(error), std::move(what_came));
          tell_addresses(std::get<container::sandbox_made>(std::get<container::outcome>(what_came)).id, on_done);
        },
        [](auto& r) {
          return container::sandbox_made{r.pod_sandbox_id(), {}};
        },
        true);
  }
  void tell_addresses(const std::string& id, done on_done) {
    pb::PodSandboxStatusRequest out;
    out.set_pod_sandbox_id(id);
    call<pb::PodSandboxStatusResponse>(RUNTIME("PodSandboxStatus"), out, quick, std::move(on_done), [](auto& r) {
      auto status = read(r.status());
      return container::sandbox_made{status.id, status.ips};
    });
  }
  void start(container::stop_sandbox& what, const labels&, done on_done) {
    pb::StopPodSandboxRequest out;
    out.set_pod_sandbox_id(what.id);
    end<pb::StopPodSandboxResponse>(RUNTIME("StopPodSandbox"), out, patient, std::move(on_done));
  }
  void start(container::remove_sandbox& what, const labels&, done on_done) {
    pb::RemovePodSandboxRequest out;
    out.set_pod_sandbox_id(what.id);
    end<pb::RemovePodSandboxResponse>(RUNTIME("RemovePodSandbox"), out, patient, std::move(on_done));
  }
  /// The driver answers it from what it polled. Taken by value as by the others, which hand it on.
  void start(container::list_pods&, const labels&, done on_done) {  // NOLINT(performance-unnecessary-value-param)
    on_done({fault::unimplemented, "not a question to the runtime"}, container::done{});
  }
  void start(inspect_sandbox& what, const labels&, done on_done) {
    pb::PodSandboxStatusRequest out;
    out.set_pod_sandbox_id(what.id);
    call<pb::PodSandboxStatusResponse>(RUNTIME("PodSandboxStatus"), out, quick, std::move(on_done),
                                       [](auto& r) { return read(r.status()); });
  }
  void start(list_brief& what, const labels&, done on_done) {
    pb::ListPodSandboxRequest out;
    write(what.labels, *out.mutable_filter()->mutable_label_selector());
    connection_.call<pb::ListPodSandboxResponse>(RUNTIME("ListPodSandbox"), out, quick,
                                                 [this, on_done = std::move(on_done), what](failure error, auto& r) {
                                                   if (!error.ok()) return on_done(std::move(error), container::done{});
                                                   brief_list found;
                                                   for (auto& one : r.items()) found.sandboxes.push_back(read(one));
                                                   list_containers(what, std::move(found), on_done);
                                                 });
  }
  void list_containers(const list_brief& what, brief_list found, done on_done) {
    pb::ListContainersRequest out;
    write(what.labels, *out.mutable_filter()->mutable_label_selector());
    call<pb::ListContainersResponse>(RUNTIME("ListContainers"), out, quick, std::move(on_done),
                                     [found = std::move(found)](auto& r) {
                                       auto all = found;
                                       for (auto& one : r.containers()) all.containers.push_back(read(one));
                                       return all;
                                     });
  }

  // -- containers

  void start(container::create_container& what, const labels& marks, done on_done) {
    pb::CreateContainerRequest out;
    out.set_pod_sandbox_id(what.sandbox_id);
    write(what.config, what.sandbox.namespaces, *out.mutable_config());
    write(what.sandbox, *out.mutable_sandbox_config());
    write(marks, *out.mutable_config()->mutable_labels());
    write(marks, *out.mutable_sandbox_config()->mutable_labels());
    call<pb::CreateContainerResponse>(
        RUNTIME("CreateContainer"), out, patient, std::move(on_done),
        [](auto& r) { return container::container_made{r.container_id()}; }, true);
  }
  void start(container::start_container& what, const labels&, done on_done) {
    pb::StartContainerRequest out;
    out.set_container_id(what.id);
    call<pb::StartContainerResponse>(
        RUNTIME("StartContainer"), out, patient, std::move(on_done), [](auto&) { return container::done{}; }, true);
  }
  void start(container::stop_container& what, const labels&, done on_done) {
    pb::StopContainerRequest out;
    out.set_container_id(what.id);
    out.set_timeout(what.timeout_s);
    end<pb::StopContainerResponse>(RUNTIME("StopContainer"), out, patient + std::chrono::seconds(what.timeout_s),
                                   std::move(on_done));
  }
  void start(container::remove_container& what, const labels&, done on_done) {
    pb::RemoveContainerRequest out;
    out.set_container_id(what.id);
    end<pb::RemoveContainerResponse>(RUNTIME("RemoveContainer"), out, patient, std::move(on_done));
  }
  void start(container::update_resources& what, const labels&, done on_done) {
    pb::UpdateContainerResourcesRequest out;
    out.set_container_id(what.id);
    write(what.resources, *out.mutable_linux());
    call<pb::UpdateContainerResourcesResponse>(RUNTIME("UpdateContainerResources"), out, patient, std::move(on_done));
  }
  void start(container::reopen_log& what, const labels&, done on_done) {
    pb::ReopenContainerLogRequest out;
    out.set_container_id(what.id);
    call<pb::ReopenContainerLogResponse>(RUNTIME("ReopenContainerLog"), out, quick, std::move(on_done));
  }
  void start(inspect_container& what, const labels&, done on_done) {
    pb::ContainerStatusRequest out;
    out.set_container_id(what.id);
    call<pb::ContainerStatusResponse>(RUNTIME("ContainerStatus"), out, quick, std::move(on_done),
                                      [](auto& r) { return read(r.status()); });
  }
  void start(container::list_stats& what, const labels& marks, done on_done) {
    pb::ListContainerStatsRequest out;
    auto& selector = *out.mutable_filter()->mutable_label_selector();
    write(marks, selector);
    if (!what.pod_uid.empty()) selector["io.kubernetes.pod.uid"] = what.pod_uid;
    call<pb::ListContainerStatsResponse>(RUNTIME("ListContainerStats"), out, quick, std::move(on_done), [](auto& r) {
      container::stats_list all;
      for (auto& one : r.stats()) all.containers.push_back(read(one));
      return all;
    });
  }

  // -- execution

  void start(container::exec_sync& what, const labels&, done on_done) {
    pb::ExecSyncRequest out;
    out.set_container_id(what.id);
    for (auto& word : what.command) out.add_cmd(word);
    out.set_timeout(what.timeout_s);
    // The runtime keeps the time; ours only guards against a runtime that does not.
    auto limit = std::chrono::seconds(what.timeout_s > 0 ? what.timeout_s + 10 : 0);
    connection_.call<pb::ExecSyncResponse>(
        RUNTIME("ExecSync"), out, limit, [on_done = std::move(on_done)](failure error, auto& r) {
          auto text = r.stdout().substr(0, output_limit) + r.stderr().substr(0, output_limit);
          on_done(std::move(error), container::exec_result{std::move(text), r.exit_code()});
        });
  }
  void start(find_stream& asked, const labels&, done on_done) {
    auto& what = asked.what;
    auto url = [](auto& r) { return stream_url{r.url()}; };
    if (what.kind == container::stream_kind::port_forward) {
      pb::PortForwardRequest out;
      out.set_pod_sandbox_id(what.target);
      out.add_port(what.port);
      return call<pb::PortForwardResponse>(RUNTIME("PortForward"), out, quick, std::move(on_done), url);
    }
    auto fill = [&](auto& out) {
      out.set_container_id(what.target);
      out.set_stdin(what.stdin_open);
      out.set_stdout(what.stdout_open);
      out.set_stderr(what.stderr_open && !what.tty);  // CRI: a terminal has one output only
      out.set_tty(what.tty);
    };
    if (what.kind == container::stream_kind::attach) {
      pb::AttachRequest out;
      fill(out);
      return call<pb::AttachResponse>(RUNTIME("Attach"), out, quick, std::move(on_done), url);
    }
    pb::ExecRequest out;
    fill(out);
    for (auto& word : what.command) out.add_cmd(word);
    call<pb::ExecResponse>(RUNTIME("Exec"), out, quick, std::move(on_done), url);
  }

  // -- images

  void start(container::image_status& what, const labels&, done on_done) {
    pb::ImageStatusRequest out;
    out.mutable_image()->set_image(what.image);
    call<pb::ImageStatusResponse>(IMAGES("ImageStatus"), out, quick, std::move(on_done), [](auto& r) {
      return container::image_answer{r.has_image(), read(r.image())};
    });
  }
  void start(container::pull_image& what, const labels& marks, done on_done) {
    pb::PullImageRequest out;
    out.mutable_image()->set_image(what.image);
    write(what.auth, *out.mutable_auth());
    write(what.sandbox, *out.mutable_sandbox_config());
    write(marks, *out.mutable_sandbox_config()->mutable_labels());
    call<pb::PullImageResponse>(
        IMAGES("PullImage"), out, pull_limit,
        [this, on_done = std::move(on_done)](failure error, answer came) {
          if (!error.ok()) return on_done(std::move(error), std::move(came));
          tell_size(std::get<container::image_pulled>(std::get<container::outcome>(came)).image_ref, on_done);
        },
        [](auto& r) {
          return container::image_pulled{r.image_ref(), 0};
        });
  }
  void tell_size(const std::string& ref, done on_done) {
    pb::ImageStatusRequest out;
    out.mutable_image()->set_image(ref);
    call<pb::ImageStatusResponse>(IMAGES("ImageStatus"), out, quick, std::move(on_done), [ref](auto& r) {
      return container::image_pulled{ref, r.image().size()};
    });
  }
  void start(container::list_images&, const labels&, done on_done) {
    call<pb::ListImagesResponse>(IMAGES("ListImages"), pb::ListImagesRequest(), quick, std::move(on_done), [](auto& r) {
      container::image_list all;
      for (auto& one : r.images()) all.images.push_back(read(one));
      return all;
    });
  }
  void start(container::remove_image& what, const labels&, done on_done) {
    pb::RemoveImageRequest out;
    out.mutable_image()->set_image(what.image);
    call<pb::RemoveImageResponse>(IMAGES("RemoveImage"), out, patient, std::move(on_done));
  }

  connection connection_;
};

}  // namespace
}  // namespace troupe::cri

extern "C" __attribute__((visibility("default"))) troupe::cri::client* troupe_cri_open(const char* socket) {
  return new troupe::cri::grpc_client(socket);
}
