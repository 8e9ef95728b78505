// OpenAI's error object, and the HTTP status for each error code. Pure functions.
#pragma once

#include <string>

#include "base/error.h"
#include "core/json.h"

namespace polyphon {

int http_status(ErrorCode code);
// The error code for an HTTP status other than 200.
ErrorCode error_code(int status);
// {"error": {"message", "type", "param", "code"}}
Json error_body(int status, const std::string& message, const std::string& param = "",
                const std::string& code = "");
Json error_body(const Error& error);

// JSON in one line. Invalid UTF-8 becomes U+FFFD instead of an exception.
std::string to_text(const Json& json);

}  // namespace polyphon
