// JSON in and out of the HTTP library.
#pragma once

#include <httplib.h>

#include "core/json.h"

namespace polyphon {

// Also the headers that go with the status: Retry-After, WWW-Authenticate.
void send_json(httplib::Response& response, int status, const Json& body);
// The error being handled, as a response. Call inside a catch block or with `thrown`.
void send_error(httplib::Response& response, const std::exception_ptr& thrown);

}  // namespace polyphon
