// Probes and lifecycle hooks.
#include <algorithm>
#include <string>

#include "actors/api_server/validation/metadata.hpp"
#include "actors/api_server/validation/names.hpp"
#include "actors/api_server/validation/pod_rules.hpp"

namespace troupe::api::rules {
namespace {

void check_http_get(error_list& errors, const path& at, const node& action) {
  if (text(&action, "path").empty()) errors.required(at.child("path"));
  check_port_or_name(errors, at.child("port"), get(&action, "port"));
  const auto scheme = text(&action, "scheme");
  if (scheme != "HTTP" && scheme != "HTTPS") errors.not_supported(at.child("scheme"), scheme, {"HTTP", "HTTPS"});
  each(get(&action, "httpHeaders"), [&](const node& header, std::size_t) {
    const auto name = text(&header, "name");
    errors.invalid(at.child("httpHeaders"), name, http_header_name(name));
  });
}

void check_sleep(error_list& errors, const path& at, const node& action, const pod_scope& scope) {
  if (!scope.grace_period) return;
  const auto seconds = number(&action, "seconds"), grace = scope.grace_period->integer();
  if (seconds < 0 || seconds > grace)
    errors.invalid(at, seconds,
                   "must be non-negative and less than terminationGracePeriodSeconds (" + std::to_string(grace) + ")");
}

void check_action(error_list& errors, const path& at, std::string_view what, const node& action,
                  const pod_scope& scope) {
  if (what == "exec") {
    if (count(&action, "command") == 0) errors.required(at.child("command"));
  } else if (what == "httpGet") {
    check_http_get(errors, at, action);
  } else if (what == "tcpSocket") {
    check_port_or_name(errors, at.child("port"), get(&action, "port"));
  } else if (what == "grpc") {
    const auto port = number(&action, "port");
    errors.invalid(at.child("port"), port, port_number(port));
  } else {
    check_sleep(errors, at, action, scope);
  }
}

void check_handler(error_list& errors, const path& at, const node& holder, const pod_scope& scope,
                   std::initializer_list<std::string_view> kinds) {
  bool found = false;
  for (auto kind : kinds) {
    const node* action = get(&holder, kind);
    if (!action) continue;
    if (found)
      errors.forbidden(at.child(kind), "may not specify more than 1 handler type");
    else
      check_action(errors, at.child(kind), kind, *action, scope);
    found = true;
  }
  if (!found) errors.required(at, "must specify a handler type");
}

void check_probe(error_list& errors, const path& at, const node& probe, const pod_scope& scope) {
  check_handler(errors, at, probe, scope, {"exec", "httpGet", "tcpSocket", "grpc"});
  for (std::string_view field :
       {"initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"})
    check_non_negative(errors, at.child(field), number(&probe, field));
  const node* grace = get(&probe, "terminationGracePeriodSeconds");
  if (grace && grace->integer() <= 0)
    errors.invalid(at.child("terminationGracePeriodSeconds"), grace->integer(), "must be greater than 0");
}

void check_one_success(error_list& errors, const path& at, const node& probe) {
  const auto threshold = number(&probe, "successThreshold");
  if (threshold != 1) errors.invalid(at.child("successThreshold"), threshold, "must be 1");
}

}  // namespace

void check_port_or_name(error_list& errors, const path& at, const node* port) {
  if (port && port->is_string())
    errors.invalid(at, port->string(), port_name(port->string()));
  else
    errors.invalid(at, port ? port->integer() : 0, port_number(port ? port->integer() : 0));
}

void check_probes(error_list& errors, const path& at, const node& container, const pod_scope& scope) {
  if (const node* probe = get(&container, "livenessProbe")) {
    const path here = at.child("livenessProbe");
    check_probe(errors, here, *probe, scope);
    check_one_success(errors, here, *probe);
  }
  if (const node* probe = get(&container, "readinessProbe")) {
    const path here = at.child("readinessProbe");
    check_probe(errors, here, *probe, scope);
    if (const node* grace = get(probe, "terminationGracePeriodSeconds"))
      errors.invalid(here.child("terminationGracePeriodSeconds"), grace, "must not be set for readinessProbes");
  }
  if (const node* probe = get(&container, "startupProbe")) {
    const path here = at.child("startupProbe");
    check_probe(errors, here, *probe, scope);
    check_one_success(errors, here, *probe);
  }
}

void check_lifecycle(error_list& errors, const path& at, const node& lifecycle, const pod_scope& scope) {
  for (std::string_view hook : {"postStart", "preStop"})
    if (const node* handler = get(&lifecycle, hook))
      check_handler(errors, at.child(hook), *handler, scope, {"exec", "httpGet", "tcpSocket", "sleep"});
  if (has(&lifecycle, "stopSignal") && !get(scope.spec, "os"))
    errors.forbidden(at.child("stopSignal"), "may not be set for containers with empty `spec.os.name`");
}

}  // namespace troupe::api::rules
