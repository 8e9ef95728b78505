#include "server/api_error.h"

#include "base/shown.h"

namespace polyphon {
namespace {

// Upper bounds for messages, because they may repeat parts of a request.
constexpr size_t kMostMessageBytes = 2000;
constexpr size_t kMostParamBytes = 200;

const char* type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "unavailable_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

}  // namespace

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return 400;
    case ErrorCode::kUnauthenticated:
      return 401;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kTooLarge:
      return 413;
    case ErrorCode::kOverloaded:
      return 429;
    case ErrorCode::kCancelled:
      return 499;  // the client is gone and reads no answer
    case ErrorCode::kInternal:
      return 500;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kDeadlineExceeded:
      return 504;
  }
  return 500;
}

ErrorCode error_code(int status) {
  for (const ErrorCode code :
       {ErrorCode::kUnauthenticated, ErrorCode::kNotFound, ErrorCode::kTooLarge,
        ErrorCode::kOverloaded, ErrorCode::kUnavailable, ErrorCode::kDeadlineExceeded})
    if (http_status(code) == status) return code;
  return status >= 400 && status < 500 ? ErrorCode::kInvalidArgument : ErrorCode::kInternal;
}

Json error_body(int status, const std::string& message, const std::string& param,
                const std::string& code) {
  return {{"error",
           {{"message", shown(message, kMostMessageBytes)},
            {"type", type_of(status)},
            {"param", param.empty() ? Json() : Json(shown(param, kMostParamBytes))},
            {"code", code.empty() ? Json() : Json(code)}}}};
}

Json error_body(const Error& error) {
  const bool model = error.code() == ErrorCode::kNotFound && error.field() == "model";
  return error_body(http_status(error.code()), error.what(), error.field(),
                    model ? "model_not_found" : "");
}

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace polyphon
