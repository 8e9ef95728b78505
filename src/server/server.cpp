#include "server/server.h"

#include <fmt/format.h>
#include <httplib.h>
#include <spdlog/spdlog.h>

#include <functional>
#include <map>

#include "base/error.h"
#include "base/shown.h"
#include "server/api_error.h"
#include "server/front.h"
#include "server/generation.h"
#include "server/http_json.h"
#include "server/introspection.h"
#include "server/memory_api.h"
#include "server/reload_api.h"
#include "server/server_state.h"

namespace polyphon {
namespace {

using httplib::Request;
using httplib::Response;
using Handled = httplib::Server::HandlerResponse;

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

const ServerOptions& checked(const ServerOptions& options) {
  if (options.tls_certificate.empty() != options.tls_key.empty())
    throw Error(ErrorCode::kInvalidArgument, "TLS needs both a certificate and a key file",
                "tls_certificate");
  if (is_loopback(options.host) || !options.api_key_hashes.empty() || options.allow_unauthenticated)
    return options;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("refusing to listen on {} without an API key: give --api-key-file "
                          "(`polyphon key new`), or allow it with --allow-unauthenticated",
                          options.host),
              "host");
}

std::string status_message(const Request& request, int status) {
  switch (status) {
    case 404:
      return "no route " + request.method + " " + shown(request.path);
    case 413:
      return "the body is larger than this server takes";
    default:
      return "the request could not be read";
  }
}

}  // namespace

class Server::Impl {
 public:
  Impl(Reasoner& reasoner, const ServerOptions& options, ServerHooks hooks)
      : http_(checked(options), {"/health", "/v1/health", "/metrics", "/slots"}),
        state_(reasoner, options),
        generation_(state_),
        introspection_(state_),
        memory_(state_),
        reload_(std::move(hooks.reload)),
        settings_(std::move(hooks.settings)) {
    set_errors();
    set_routes();
  }

  void bind();
  int port() const { return port_; }
  void serve() { http_.run(); }
  void stop();

 private:
  using Handler = std::function<void(const Request&, Response&)>;
  void route(const std::string& method, const std::string& path, Handler handler);
  template <typename Part>
  void route(const std::string& method, const std::string& path, Part& part,
             void (Part::*handler)(const Request&, Response&)) {
    route(method, path, [&part, handler](const Request& q, Response& r) { (part.*handler)(q, r); });
  }
  void set_errors();
  void set_routes();
  Handled before_routing(const Request& request, Response& response) const;

  Front http_;
  ServerState state_;
  Generation generation_;
  Introspection introspection_;
  MemoryApi memory_;
  ReloadApi reload_;
  const Json settings_;
  // For each route without a pattern: the methods it takes, such as "GET, POST".
  std::map<std::string, std::string> methods_of_;
  int port_ = 0;
};

void Server::Impl::set_errors() {
  http_.set_pre_routing_handler([this](const Request& request, Response& response) {
    return before_routing(request, response);
  });
  http_.set_exception_handler(
      [](const Request&, Response& response, const std::exception_ptr& thrown) {
        send_error(response, thrown);
      });
  http_.set_error_handler([](const Request& request, Response& response) {
    if (!response.body.empty()) return;
    send_json(response, response.status,
              error_body(response.status, status_message(request, response.status)));
  });
}

Handled Server::Impl::before_routing(const Request& request, Response& response) const {
  if (request.path == "/health") return Handled::Unhandled;
  if (!state_.keys.tenant_of(request.get_header_value("Authorization"))) {
    send_json(response, 401,
              error_body(401, "a valid API key is needed: Authorization: Bearer KEY", "",
                         "invalid_api_key"));
    return Handled::Handled;
  }
  const auto route = methods_of_.find(request.path);
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  if (route != methods_of_.end() && route->second.find(method) == std::string::npos) {
    response.set_header("Allow", route->second);
    send_json(
        response, 405,
        error_body(405, request.path + " takes " + route->second + ", not " + request.method));
    return Handled::Handled;
  }
  if (state_.slots.closed() && request.method == "POST") {
    send_json(response, 503, error_body(503, "the server is stopping"));
    return Handled::Handled;
  }
  return Handled::Unhandled;
}

void Server::Impl::route(const std::string& method, const std::string& path, Handler handler) {
  std::string& methods = methods_of_[path];
  methods += (methods.empty() ? "" : ", ") + method;
  if (method == "GET")
    http_.Get(path, std::move(handler));
  else if (method == "POST")
    http_.Post(path, std::move(handler));
  else if (method == "PATCH")
    http_.Patch(path, std::move(handler));
  else
    http_.Delete(path, std::move(handler));
}

void Server::Impl::set_routes() {
  route("POST", "/v1/chat/completions", generation_, &Generation::chat);
  route("POST", "/v1/completions", generation_, &Generation::completions);
  route("POST", "/v1/responses", generation_, &Generation::responses);
  route("POST", "/v1/embeddings", generation_, &Generation::embeddings);
  route("GET", "/v1/models", introspection_, &Introspection::models);
  route("GET", R"(/v1/models/(.+))", introspection_, &Introspection::models);
  route("GET", "/health", introspection_, &Introspection::health);
  route("GET", "/v1/health", introspection_, &Introspection::health);
  route("GET", "/props", introspection_, &Introspection::props);
  route("GET", "/slots", introspection_, &Introspection::slots);
  route("GET", "/metrics", introspection_, &Introspection::metrics);
  route("GET", "/api/v1/memory", memory_, &MemoryApi::list);
  route("POST", "/api/v1/memory", memory_, &MemoryApi::add);
  route("DELETE", "/api/v1/memory", memory_, &MemoryApi::forget);
  route("GET", "/api/v1/memory/export", memory_, &MemoryApi::export_graph);
  route("GET", R"(/api/v1/memory/(\d+))", memory_, &MemoryApi::show);
  route("PATCH", R"(/api/v1/memory/(\d+))", memory_, &MemoryApi::edit);
  route("DELETE", R"(/api/v1/memory/(\d+))", memory_, &MemoryApi::forget_node);
  route("POST", "/api/v1/reload", reload_, &ReloadApi::reload);
  route("GET", "/api/v1/settings", [this](const Request&, Response& response) {
    send_json(response, 200, {{"settings", settings_}});
  });
  route("POST", "/tokenize", introspection_, &Introspection::tokenize);
  route("POST", "/detokenize", introspection_, &Introspection::detokenize);
  route("POST", "/apply-template", introspection_, &Introspection::apply_template);
}

void Server::Impl::bind() {
  const ServerOptions& options = state_.options;
  if (options.port == 0) {
    port_ = http_.bind_to_any_port(options.host);
    if (port_ > 0) return;
  } else if (http_.bind_to_port(options.host, options.port)) {
    port_ = options.port;
    return;
  }
  throw Error(ErrorCode::kUnavailable,
              fmt::format("cannot listen on {}:{}: the port is in use or the address is not this "
                          "machine's",
                          options.host, options.port));
}

void Server::Impl::stop() {
  state_.slots.close();
  if (!state_.slots.wait_idle(std::chrono::seconds(state_.options.drain_timeout_s))) {
    spdlog::warn("still running after {} s: the rest is cut off", state_.options.drain_timeout_s);
    state_.slots.cut_off();
    state_.slots.wait_idle(std::chrono::seconds(2));
  }
  http_.finish();
}

Server::Server(Reasoner& reasoner, const ServerOptions& options, ServerHooks hooks)
    : impl_(std::make_unique<Impl>(reasoner, options, std::move(hooks))) {}
Server::~Server() = default;
void Server::bind() { impl_->bind(); }
int Server::port() const { return impl_->port(); }
void Server::serve() { impl_->serve(); }
void Server::stop() { impl_->stop(); }

}  // namespace polyphon
