#include "server/http_json.h"

#include <spdlog/spdlog.h>

#include <new>

#include "base/error.h"
#include "server/api_error.h"

namespace polyphon {

void send_json(httplib::Response& response, int status, const Json& body) {
  response.status = status;
  if (status == 429 || status == 503) response.set_header("Retry-After", "1");
  if (status == 401) response.set_header("WWW-Authenticate", "Bearer");
  response.set_content(to_text(body), "application/json; charset=utf-8");
}

void send_error(httplib::Response& response, const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInternal) spdlog::error("request failed: {}", error.what());
    send_json(response, http_status(error.code()), error_body(error));
  } catch (const std::bad_alloc&) {
    spdlog::error("request failed: no memory");
    send_json(response, 503, error_body(503, "the server is out of memory: try again later"));
  } catch (const std::exception& error) {
    spdlog::error("request failed: {}", error.what());
    send_json(response, 500, error_body(500, error.what()));
  }
}

}  // namespace polyphon
