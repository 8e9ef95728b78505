#include "server/reload_api.h"

#include "base/error.h"
#include "server/http_json.h"
#include "server/request_reader.h"

namespace polyphon {

void ReloadApi::reload(const httplib::Request& request, httplib::Response& response) {
  if (!reload_) throw Error(ErrorCode::kNotFound, "this server has no files to read again");
  if (!request.body.empty()) {
    const OrderedJson body = parse_body(request.body);
    FieldReader(body).allow_only(std::span<const char* const>());
  }
  const Reloaded reloaded = reload_();
  send_json(
      response, 200,
      {{"version", reloaded.version}, {"digest", reloaded.digest}, {"changed", reloaded.changed}});
}

}  // namespace polyphon
