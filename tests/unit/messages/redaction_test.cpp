// Secrets in traces: values go, shape stays.
#include "messages/redaction.hpp"

#include <doctest/doctest.h>

using namespace troupe;

TEST_CASE("a Secret keeps names and keys, loses values") {
  auto out =
      redact_secrets(R"({"kind":"Secret","metadata":{"name":"s","labels":{"a":"b"},"annotations":{"last":"aHVzaA=="}},)"
                     R"("data":{"k":"aHVzaA=="},"stringData":{"q":"hush"},"type":"Opaque"})");
  CHECK(out == R"({"kind":"Secret","metadata":{"name":"s","labels":{"a":"b"},"annotations":{"last":"REDACTED"}},)"
               R"("data":{"k":"UkVEQUNURUQ="},"stringData":{"q":"REDACTED"},"type":"Opaque"})");
}

TEST_CASE("lists, merge patches and JSON patches") {
  CHECK(redact_secrets(R"({"kind":"SecretList","items":[{"data":{"k":"aHVzaA=="}},{"data":null}]})").find("aHVz") ==
        std::string::npos);
  CHECK(redact_secrets(R"({"data":{"k":null,"l":{"deep":"hush"}}})").find("hush") == std::string::npos);
  CHECK(redact_secrets(R"({"data":"hush"})").find("hush") == std::string::npos);
  CHECK(redact_secrets(
            R"([{"op":"add","path":"/data/k","value":"aHVzaA=="},{"op":"add","path":"/data","value":{"k":"hush"}}])")
            .find("hush") == std::string::npos);
  CHECK(redact_secrets("hush") == "redacted");
  CHECK(redact_secrets(R"({"data":{"k":"hush)") == "redacted");
}

TEST_CASE("bodies by their target") {
  CHECK(traceable_body("/api/v1/namespaces/a/configmaps", R"({"data":{"k":"v"}})") == R"({"data":{"k":"v"}})");
  CHECK(traceable_body("/api/v1/namespaces/a/secrets/s?x=1", R"({"data":{"k":"v"}})") ==
        R"({"data":{"k":"UkVEQUNURUQ="}})");
  CHECK(traceable_body("/api/v1/namespaces/a/serviceaccounts/s/token", R"({"status":{"token":"hush"}})") == "redacted");
  CHECK(traceable_body({}, R"({"kind":"SecretList","items":[{"data":{"k":"hush"}}]})").find("hush") ==
        std::string::npos);
}
