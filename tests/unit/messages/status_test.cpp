// metav1.Status: wording and JSON.
#include <doctest/doctest.h>

#include "messages/message.hpp"
#include "messages/status.hpp"

using namespace troupe;

TEST_CASE("apimachinery's wording") {
  CHECK(not_found("", "pods", "x").message == "pods \"x\" not found");
  CHECK(not_found("apps", "deployments", "x").message == "deployments.apps \"x\" not found");
  CHECK(already_exists("apps", "deployments", "x").message == "deployments.apps \"x\" already exists");
  CHECK(conflict("", "pods", "x", "the object has been modified").message ==
        "Operation cannot be fulfilled on pods \"x\": the object has been modified");
  CHECK(forbidden("", "pods", "", "no").message == "pods is forbidden: no");
  CHECK(forbidden("apps", "deployments", "x", "no").message == "deployments.apps \"x\" is forbidden: no");
  CHECK(forbidden("", "", "", "no").message == "forbidden: no");
  CHECK(internal_error("oops").message == "Internal error occurred: oops");
}

TEST_CASE("invalid lists its causes") {
  const status_cause missing{"FieldValueRequired", "Required value", "spec.containers"};
  const status_cause wrong{"FieldValueInvalid", "Invalid value: 70000: must be between 1 and 65535, inclusive",
                           "spec.x"};
  CHECK(invalid("", "Pod", "p", {missing}).message == "Pod \"p\" is invalid: spec.containers: Required value");
  CHECK(invalid("apps", "Deployment", "d", {missing, wrong}).message ==
        "Deployment.apps \"d\" is invalid: [spec.containers: Required value, spec.x: Invalid value: 70000: must be "
        "between 1 and 65535, inclusive]");
  const status twice = invalid("", "Pod", "p", {missing, missing});
  CHECK(twice.message == "Pod \"p\" is invalid: spec.containers: Required value");
  CHECK(twice.causes.size() == 2);
  CHECK(twice.code == 422);
}

TEST_CASE("a Status as Kubernetes sends it") {
  CHECK(
      to_json(not_found("apps", "deployments", "x")) ==
      R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"deployments.apps \"x\" not found","reason":"NotFound","details":{"name":"x","group":"apps","kind":"deployments"},"code":404})");
  CHECK(
      to_json(forbidden("", "", "", "no")) ==
      R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"forbidden: no","reason":"Forbidden","details":{},"code":403})");
  CHECK(
      to_json(bad_request("<bad>")) ==
      R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"\u003cbad\u003e","reason":"BadRequest","code":400})");
  status busy = make_status(reason::too_many_requests, "later");
  busy.retry_after_seconds = 1;
  busy.causes.push_back({"", "why", "a.b"});
  CHECK(
      to_json(busy) ==
      R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"later","reason":"TooManyRequests","details":{"causes":[{"message":"why","field":"a.b"}],"retryAfterSeconds":1},"code":429})");
  CHECK(to_json(status{}) == R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"})");
}

TEST_CASE("every reason has its code and survives msgpack") {
  CHECK(http_code(reason::expired) == 410);
  CHECK(reason_text(reason::expired) == "Expired");
  CHECK(http_code(reason::invalid) == 422);
  CHECK(http_code(reason::not_implemented) == 501);
  CHECK(reason_text(reason::not_implemented) == "NotImplemented");
  for (int i = 1; i <= static_cast<int>(reason::not_implemented); ++i) {
    const status sent = make_status(static_cast<reason>(i), "m");
    CHECK(sent.code >= 400);
    status received;
    REQUIRE(from_msgpack(to_msgpack(sent), received));
    CHECK(to_json(received) == to_json(sent));
  }
}
