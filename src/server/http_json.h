// Sends JSON and errors as responses of the HTTP library.
#pragma once

#include <httplib.h>

#include "core/json.h"

namespace polyphon {

// Also sets the headers that belong to the status: Retry-After, WWW-Authenticate.
void send_json(httplib::Response& response, int status, const Json& body);
// Sends `thrown`, for example std::current_exception(), as an error response.
void send_error(httplib::Response& response, const std::exception_ptr& thrown);

}  // namespace polyphon
