// What the verbs do, one function each. All are called after authentication and authorisation.
#pragma once

#include "actors/api_server/pipeline/host.hpp"
#include "actors/api_server/pipeline/request_context.hpp"
#include "actors/api_server/pipeline/task.hpp"
#include "messages/api_server.hpp"
#include "messages/status.hpp"

namespace troupe::api {

using answer_task = task<result<response>>;

/// Everything behind authorisation: chooses the flow for verb, resource and subresource.
answer_task handle_resource(request_host& host, const request& incoming, request_context& context);

answer_task get_object(request_host& host, request_context& context);
answer_task list_objects(request_host& host, request_context& context);
/// Opens the watch; the answer carries its id.
answer_task watch_objects(request_host& host, request_context& context, const request& incoming);
answer_task create_object(request_host& host, const request& incoming, request_context& context);
/// PUT and PATCH of the main resource and of subresources that hold the same object.
answer_task update_object(request_host& host, const request& incoming, request_context& context);
answer_task delete_object(request_host& host, const request& incoming, request_context& context);
answer_task delete_collection(request_host& host, const request& incoming, request_context& context);

/// POST of pods/binding and of bindings.
answer_task bind_pod(request_host& host, const request& incoming, request_context& context);
/// POST of pods/eviction.
answer_task evict_pod(request_host& host, const request& incoming, request_context& context);
/// GET of pods/log: checked here, answered by the pod's node (an answer of code 0 says that it is on its way).
answer_task read_pod_log(request_host& host, request_context& context);
/// GET and POST of pods/exec, pods/attach and pods/portforward: likewise.
answer_task open_pod_stream(request_host& host, const request& incoming, request_context& context);
/// GET, PUT and PATCH of the scale subresource.
answer_task get_scale(request_host& host, request_context& context);
answer_task update_scale(request_host& host, const request& incoming, request_context& context);

}  // namespace troupe::api
