// Information about the server and its model: /v1/models and llama-server's endpoints.
#pragma once

#include <httplib.h>

#include "server/server_state.h"

namespace polyphon {

class Introspection {
 public:
  explicit Introspection(ServerState& state) : state_(state) {}

  void models(const httplib::Request& request, httplib::Response& response);
  void health(const httplib::Request& request, httplib::Response& response);
  void props(const httplib::Request& request, httplib::Response& response);
  void slots(const httplib::Request& request, httplib::Response& response);
  void metrics(const httplib::Request& request, httplib::Response& response);
  void tokenize(const httplib::Request& request, httplib::Response& response);
  void detokenize(const httplib::Request& request, httplib::Response& response);
  void apply_template(const httplib::Request& request, httplib::Response& response);

 private:
  Json model_json(const std::string& name) const;

  ServerState& state_;
};

}  // namespace polyphon
