// OpenAI's error object and the status that goes with it.
#pragma once

#include <string>

#include "base/error.h"
#include "core/json.h"

namespace polyphon {

int http_status(ErrorCode code);
// What a client makes of a status that is not 200.
ErrorCode error_code(int status);
// {"error": {"message", "type", "param", "code"}}
Json error_body(int status, const std::string& message, const std::string& param = "",
                const std::string& code = "");
Json error_body(const Error& error);

// One line of JSON; invalid UTF-8 becomes U+FFFD instead of an exception.
std::string to_text(const Json& json);

}  // namespace polyphon
