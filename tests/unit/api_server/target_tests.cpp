// From targets to requests: paths, verbs, options, forms.
#include <doctest/doctest.h>

#include "actors/api_server/pipeline/options.hpp"
#include "actors/api_server/pipeline/target.hpp"
#include "actors/api_server/registry/continue_token.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

struct parsed_request {
  request_context context;
  parsed_target outcome;
};

parsed_request parse(method verb, std::string target, std::string accept = {}) {
  request r;
  r.verb = verb;
  r.target = std::move(target);
  r.accept = std::move(accept);
  parsed_request out;
  out.outcome = parse_target(r, out.context);
  return out;
}

}  // namespace

TEST_CASE("paths of resources") {
  auto list = parse(method::get, "/api/v1/pods");
  CHECK(list.context.verb == request_verb::list);
  CHECK(list.context.info().plural == "pods");
  CHECK(list.context.namespace_name.empty());

  auto one = parse(method::get, "/api/v1/namespaces/ns/pods/a%2Db");
  CHECK(one.context.verb == request_verb::get);
  CHECK(one.context.namespace_name == "ns");
  CHECK(one.context.name == "a-b");

  auto space = parse(method::get, "/api/v1/namespaces/ns");
  CHECK(space.context.info().plural == "namespaces");
  CHECK(space.context.name == "ns");
  CHECK(space.context.namespace_name.empty());
  auto status = parse(method::put, "/api/v1/namespaces/ns/status");
  CHECK(status.context.subresource_name() == "status");
  CHECK(status.context.name == "ns");

  auto scale = parse(method::patch, "/apis/apps/v1/namespaces/ns/deployments/d/scale");
  CHECK(scale.context.verb == request_verb::patch);
  CHECK(scale.context.subresource_name() == "scale");
  CHECK(parse(method::post, "/api/v1/namespaces/ns/pods/p/binding").context.verb == request_verb::create);
  CHECK(parse(method::del, "/api/v1/namespaces/ns/pods").context.verb == request_verb::deletecollection);
  CHECK(parse(method::del, "/api/v1/namespaces/ns/pods/p").context.verb == request_verb::delete_);
}

TEST_CASE("watches, also of the old form") {
  CHECK(parse(method::get, "/api/v1/pods?watch=true").context.verb == request_verb::watch);
  CHECK(parse(method::get, "/api/v1/pods?watch=0").context.verb == request_verb::list);
  CHECK(parse(method::get, "/api/v1/watch/namespaces/n/pods").context.verb == request_verb::watch);
  auto one = parse(method::get, "/api/v1/watch/namespaces/n/pods/p");
  CHECK(one.context.verb == request_verb::watch);
  CHECK(one.context.options.field_selector == "metadata.name=p");
}

TEST_CASE("paths that are none") {
  CHECK(parse(method::get, "/api/v1/foos").outcome.error.code == 404);
  CHECK(parse(method::get, "/apis/nope/v1/foos").outcome.plain);
  CHECK(parse(method::get, "/api/v1/namespaces/n/pods/p/nope").outcome.error.code == 404);
  CHECK(parse(method::get, "/api/v1/namespaces/n/nodes").outcome.error.code == 404);
  CHECK(parse(method::get, "/version").context.resource == schema::no_index);
  CHECK(parse(method::put, "/api/v1/namespaces/n/pods").outcome.error.code == 405);
  CHECK(parse(method::post, "/api/v1/pods").outcome.error.code == 405);
  CHECK(parse(method::get, "/api/v1/namespaces/n/bindings").outcome.error.code == 405);
}

TEST_CASE("options") {
  auto p = parse(method::get, "/api/v1/pods?limit=5&labelSelector=a%3Db%2Cc&resourceVersion=0&timeoutSeconds=7");
  CHECK(p.context.options.limit == 5);
  CHECK(p.context.options.label_selector == "a=b,c");
  CHECK(p.context.options.resource_version == "0");
  CHECK(p.context.options.timeout_seconds == 7);
  CHECK(parse(method::get, "/api/v1/pods?limit=x").outcome.error.message ==
        "strconv.ParseInt: parsing \"x\": invalid syntax");
  auto bad = parse(method::get, "/api/v1/pods?resourceVersionMatch=Exact");
  CHECK(check_list_options(bad.context).code == 422);
  auto dry = parse(method::post, "/api/v1/namespaces/n/pods?dryRun=Some");
  CHECK(check_write_options(dry.context).code == 422);
}

TEST_CASE("forms of the answer") {
  auto table = parse(method::get, "/api/v1/pods", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
  CHECK(table.context.form == output_form::table);
  auto meta = parse(method::get, "/api/v1/pods", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
  CHECK(meta.context.form == output_form::partial_metadata);
  CHECK(parse(method::get, "/api/v1/pods", "application/yaml").context.yaml);
  CHECK(parse(method::get, "/api/v1/pods", "application/vnd.kubernetes.protobuf,application/json").context.form ==
        output_form::object);
}

TEST_CASE("continue tokens") {
  auto token = encode_continue({42, std::string("ns/a") + '\0'});
  auto back = decode_continue(token);
  REQUIRE(back.ok());
  CHECK(back->revision == 42);
  CHECK(back->start == std::string("ns/a") + '\0');
  // As Kubernetes writes it.
  CHECK(encode_continue({1, "a"}) == "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0");
  CHECK_FALSE(decode_continue("%%%").ok());
  CHECK_FALSE(decode_continue(base64url("{}")).ok());
  std::string bytes;
  CHECK(from_base64url(base64url("any carnal pleas"), bytes));
  CHECK(bytes == "any carnal pleas");
}
