// Errors as values: Kubernetes' metav1.Status and result<T>.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <msgpack.hpp>

namespace troupe {

/// metav1.StatusReason, the ones this project returns. The HTTP code follows from it, see http_code().
enum class reason : std::uint8_t {
  none,
  unauthorized,              // 401
  forbidden,                 // 403
  not_found,                 // 404
  already_exists,            // 409
  conflict,                  // 409
  gone,                      // 410
  expired,                   // 410
  invalid,                   // 422
  bad_request,               // 400
  method_not_allowed,        // 405
  not_acceptable,            // 406
  request_entity_too_large,  // 413
  unsupported_media_type,    // 415
  too_many_requests,         // 429
  internal_error,            // 500
  server_timeout,            // 500
  service_unavailable,       // 503
  timeout,                   // 504
  not_implemented,           // 501, reason text "NotImplemented"
};

/// One metav1.StatusCause: reason is Kubernetes' CauseType ("FieldValueRequired", "FieldValueInvalid", ...).
struct status_cause {
  std::string reason;
  std::string message;
  std::string field;
  MSGPACK_DEFINE(reason, message, field)
};

/// A metav1.Status. code 0 stands for success without a Status.
struct status {
  std::uint16_t code = 0;
  reason why = reason::none;
  std::string message;
  // metav1.StatusDetails
  std::string name;
  std::string group;
  std::string kind;  // the resource's plural, as Kubernetes puts it ("pods"), or the kind for Invalid ("Pod")
  std::string uid;
  std::int32_t retry_after_seconds = 0;
  std::vector<status_cause> causes;

  bool ok() const { return code == 0; }
  MSGPACK_DEFINE(code, why, message, name, group, kind, uid, retry_after_seconds, causes)
};

/// The HTTP code Kubernetes gives a reason.
std::uint16_t http_code(reason why);
/// The reason's text in a Status ("NotFound").
std::string_view reason_text(reason why);
/// The Status as canonical JSON. A success status carries `details` when it names something.
std::string to_json(const status& s);

/// A status of one reason; the code follows from it.
status make_status(reason why, std::string message);
/// pods "x" not found
status not_found(std::string_view group, std::string_view plural, std::string_view name);
/// pods "x" already exists
status already_exists(std::string_view group, std::string_view plural, std::string_view name);
/// Operation cannot be fulfilled on pods "x": <message>
status conflict(std::string_view group, std::string_view plural, std::string_view name, std::string_view message);
/// pods "x" is forbidden: <message>
status forbidden(std::string_view group, std::string_view plural, std::string_view name, std::string_view message);
/// Pod "x" is invalid: <all causes>; as apimachinery's NewInvalid words one and several causes.
status invalid(std::string_view group, std::string_view kind, std::string_view name, std::vector<status_cause> causes);
status bad_request(std::string message);
status internal_error(std::string message);

/// Either a value or the status that says why there is none.
template <class T>
class [[nodiscard]] result {
 public:
  result(T value) : content_(std::in_place_index<0>, std::move(value)) {}       // NOLINT: a value is a result
  result(status error) : content_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: so is an error

  explicit operator bool() const { return content_.index() == 0; }
  bool ok() const { return content_.index() == 0; }
  T& operator*() { return std::get<0>(content_); }
  const T& operator*() const { return std::get<0>(content_); }
  T* operator->() { return &std::get<0>(content_); }
  const T* operator->() const { return &std::get<0>(content_); }
  status& error() { return std::get<1>(content_); }
  const status& error() const { return std::get<1>(content_); }

 private:
  std::variant<T, status> content_;
};

}  // namespace troupe

MSGPACK_ADD_ENUM(troupe::reason)
