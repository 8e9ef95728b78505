#include "server/server.h"

#include <fmt/format.h>
#include <httplib.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <functional>

#include "base/error.h"
#include "core/trace.h"
#include "server/api_error.h"
#include "server/auth.h"
#include "server/metrics.h"
#include "server/reply.h"
#include "server/request_reader.h"

namespace polyphon {
namespace {

using Request = httplib::Request;
using Response = httplib::Response;

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

void send_json(Response& response, int status, const Json& body) {
  response.status = status;
  if (status == 429 || status == 503) response.set_header("Retry-After", "1");
  if (status == 401) response.set_header("WWW-Authenticate", "Bearer");
  response.set_content(to_text(body), "application/json; charset=utf-8");
}

std::unique_ptr<httplib::Server> make_http(const ServerOptions& options) {
  if (options.tls_certificate.empty() != options.tls_key.empty())
    throw Error(ErrorCode::kInvalidArgument, "TLS needs both a certificate and a key file",
                "tls_certificate");
  if (options.tls_certificate.empty()) return std::make_unique<httplib::Server>();
  auto http = std::make_unique<httplib::SSLServer>(options.tls_certificate.c_str(),
                                                   options.tls_key.c_str());
  if (!http->is_valid())
    throw Error(ErrorCode::kInvalidArgument,
                "cannot use the TLS files " + options.tls_certificate + " and " + options.tls_key,
                "tls_certificate");
  return http;
}

}  // namespace

class Server::Impl {
 public:
  Impl(Reasoner& reasoner, const ServerOptions& options);
  void bind();
  int port() const { return port_; }
  void serve() { http_->listen_after_bind(); }
  void stop();

 private:
  using Handler = void (Impl::*)(const Request&, Response&);
  void get(const std::string& path, Handler handler);
  void post(const std::string& path, Handler handler);
  void set_limits();
  void set_errors();
  void set_routes();
  httplib::Server::HandlerResponse before_routing(const Request& request, Response& response);

  void chat(const Request& request, Response& response);
  void completions(const Request& request, Response& response);
  void responses(const Request& request, Response& response);
  void embeddings(const Request& request, Response& response);
  void models(const Request& request, Response& response);
  void health(const Request& request, Response& response);
  void props(const Request& request, Response& response);
  void slots(const Request& request, Response& response);
  void metrics(const Request& request, Response& response);
  void tokenize(const Request& request, Response& response);
  void detokenize(const Request& request, Response& response);
  void apply_template(const Request& request, Response& response);

  SessionTerms terms_of(const Request& request) const;
  SessionTicket start(GenerationRequest& generation, const Request& request);
  Finished wait(SessionTicket& ticket, const Request& request, Reply* reply);
  void answer(const Request& request, Response& response, GenerationRequest generation,
              std::unique_ptr<Reply> reply);
  void answer_stream(Response& response, SessionTicket ticket, std::unique_ptr<Reply> reply);
  void note(const SessionEvent& event);
  RequestContext context() { return {reasoner_, options_}; }
  Json model_json() const;

  Reasoner& reasoner_;
  ServerOptions options_;
  ApiKeys keys_;
  Metrics metrics_;
  std::unique_ptr<httplib::Server> http_;
  std::atomic<bool> draining_ = false;
  int port_ = 0;
};

Server::Impl::Impl(Reasoner& reasoner, const ServerOptions& options)
    : reasoner_(reasoner),
      options_(options),
      keys_(options.api_key_hashes),
      metrics_(reasoner.identity().version),
      http_(make_http(options)) {
  if (options_.served_name.empty()) options_.served_name = reasoner.model().info().name;
  if (!is_loopback(options_.host) && !keys_.required() && !options_.allow_unauthenticated)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("refusing to listen on {} without an API key: set api_key_hashes "
                            "(`polyphon key new`), or allow it with --allow-unauthenticated",
                            options_.host),
                "host");
  set_limits();
  set_errors();
  set_routes();
}

void Server::Impl::set_limits() {
  http_->new_task_queue = [threads = options_.threads] {
    return new httplib::ThreadPool(static_cast<size_t>(threads));
  };
  http_->set_payload_max_length(static_cast<size_t>(options_.max_body_bytes));
  http_->set_read_timeout(options_.io_timeout_s);
  http_->set_write_timeout(options_.io_timeout_s);
  http_->set_keep_alive_timeout(5);
  // Without the library's SO_REUSEPORT a port in use is noticed.
  http_->set_socket_options([](socket_t socket) {
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
}

void Server::Impl::set_errors() {
  http_->set_pre_routing_handler([this](const Request& request, Response& response) {
    return before_routing(request, response);
  });
  http_->set_exception_handler([](const Request&, Response& response, std::exception_ptr thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Error& error) {
      send_json(response, http_status(error.code()), error_body(error));
    } catch (const std::exception& error) {
      spdlog::error("request failed: {}", error.what());
      send_json(response, 500, error_body(500, error.what()));
    }
  });
  http_->set_error_handler([](const Request& request, Response& response) {
    if (!response.body.empty()) return;
    const std::string message = response.status == 404
                                    ? "no route " + request.method + " " + request.path
                                : response.status == 413 ? "the body is too large"
                                : response.status == 414 ? "the address is too long"
                                                         : "the request cannot be read";
    send_json(response, response.status, error_body(response.status, message));
  });
}

httplib::Server::HandlerResponse Server::Impl::before_routing(const Request& request,
                                                              Response& response) {
  using httplib::Server;
  if (request.path == "/health") return Server::HandlerResponse::Unhandled;
  if (!keys_.tenant_of(request.get_header_value("Authorization"))) {
    send_json(response, 401,
              error_body(401, "a valid API key is needed: Authorization: Bearer KEY", "",
                         "invalid_api_key"));
    return Server::HandlerResponse::Handled;
  }
  if (draining_ && request.method == "POST") {
    send_json(response, 503, error_body(503, "the server is stopping"));
    return Server::HandlerResponse::Handled;
  }
  return Server::HandlerResponse::Unhandled;
}

// A route answers one method; the other is 405.
void Server::Impl::get(const std::string& path, Handler handler) {
  http_->Get(path, [this, handler](const Request& q, Response& r) { (this->*handler)(q, r); });
  http_->Post(path, [](const Request& q, Response& r) {
    r.set_header("Allow", "GET");
    send_json(r, 405, error_body(405, q.path + " takes GET"));
  });
}

void Server::Impl::post(const std::string& path, Handler handler) {
  http_->Post(path, [this, handler](const Request& q, Response& r) { (this->*handler)(q, r); });
  http_->Get(path, [](const Request& q, Response& r) {
    r.set_header("Allow", "POST");
    send_json(r, 405, error_body(405, q.path + " takes POST"));
  });
}

void Server::Impl::set_routes() {
  post("/v1/chat/completions", &Impl::chat);
  post("/v1/completions", &Impl::completions);
  post("/v1/responses", &Impl::responses);
  post("/v1/embeddings", &Impl::embeddings);
  get("/v1/models", &Impl::models);
  get(R"(/v1/models/(.+))", &Impl::models);
  get("/health", &Impl::health);
  get("/props", &Impl::props);
  get("/slots", &Impl::slots);
  get("/metrics", &Impl::metrics);
  post("/tokenize", &Impl::tokenize);
  post("/detokenize", &Impl::detokenize);
  post("/apply-template", &Impl::apply_template);
}

void Server::Impl::bind() {
  if (options_.port == 0) {
    port_ = http_->bind_to_any_port(options_.host);
    if (port_ > 0) return;
  } else if (http_->bind_to_port(options_.host, options_.port)) {
    port_ = options_.port;
    return;
  }
  throw Error(ErrorCode::kUnavailable,
              fmt::format("cannot listen on {}:{}: the port is in use or the address is not this "
                          "machine's",
                          options_.host, options_.port));
}

void Server::Impl::stop() {
  draining_ = true;
  if (!reasoner_.engine().drain(std::chrono::seconds(options_.drain_timeout_s)))
    spdlog::warn("still running after {} s: the rest is cut off", options_.drain_timeout_s);
  http_->stop();
}

SessionTerms Server::Impl::terms_of(const Request& request) const {
  SessionTerms terms;
  terms.tenant = keys_.tenant_of(request.get_header_value("Authorization")).value_or("");
  terms.deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(options_.request_timeout_s);
  return terms;
}

SessionTicket Server::Impl::start(GenerationRequest& generation, const Request& request) {
  if (generation.think) return reasoner_.think(*generation.think, terms_of(request));
  return reasoner_.complete(generation.completions[0], terms_of(request));
}

void Server::Impl::note(const SessionEvent& event) {
  metrics_.observe(event);
  const auto* finished = std::get_if<Finished>(&event);
  if (!finished || !finished->trace || options_.trace_path.empty()) return;
  try {
    append_trace(options_.trace_path, *finished->trace);
  } catch (const Error& error) {
    spdlog::error("{}", error.what());
  }
}

// Drains the session's events while the client is there. `reply` may be null.
Finished Server::Impl::wait(SessionTicket& ticket, const Request& request, Reply* reply) {
  while (true) {
    auto event = ticket.events().pop(std::chrono::milliseconds(200));
    if (!event) {
      if (ticket.events().finished())
        throw Error(ErrorCode::kInternal, "the session ended silently");
      if (request.is_connection_closed()) ticket.cancel();
      continue;
    }
    note(*event);
    if (reply) reply->stream(*event);
    if (auto* failed = std::get_if<Failed>(&*event)) throw failed->error;
    if (auto* finished = std::get_if<Finished>(&*event)) return std::move(*finished);
  }
}

void Server::Impl::answer_stream(Response& response, SessionTicket ticket,
                                 std::unique_ptr<Reply> reply) {
  struct Stream {
    SessionTicket ticket;
    std::unique_ptr<Reply> reply;
  };
  auto stream = std::make_shared<Stream>(Stream{std::move(ticket), std::move(reply)});
  response.set_header("Cache-Control", "no-cache");
  response.set_chunked_content_provider(
      "text/event-stream; charset=utf-8",
      // Called until it says done; the ticket's end cancels the session when the client has gone.
      [this, stream](size_t, httplib::DataSink& sink) {
        auto event = stream->ticket.events().pop(std::chrono::milliseconds(200));
        if (!event) return sink.is_writable() && !stream->ticket.events().finished();
        note(*event);
        std::string text;
        bool last = false;
        if (const auto* failed = std::get_if<Failed>(&*event)) {
          text = sse(error_body(failed->error));
          last = true;
        } else {
          text = stream->reply->stream(*event);
          last = std::holds_alternative<Finished>(*event);
          if (last) text += stream->reply->stream_end();
        }
        if (!text.empty() && !sink.write(text.data(), text.size())) return false;
        if (last) sink.done();
        return true;
      },
      [stream](bool) { stream->ticket.cancel(); });
}

void Server::Impl::answer(const Request& request, Response& response, GenerationRequest generation,
                          std::unique_ptr<Reply> reply) {
  SessionTicket ticket = start(generation, request);
  if (generation.stream) return answer_stream(response, std::move(ticket), std::move(reply));
  wait(ticket, request, reply.get());
  send_json(response, 200, reply->body());
}

void Server::Impl::chat(const Request& request, Response& response) {
  GenerationRequest generation = read_chat_request(parse_body(request.body), context());
  auto reply = make_chat_reply(generation, reasoner_.identity().version);
  answer(request, response, std::move(generation), std::move(reply));
}

void Server::Impl::responses(const Request& request, Response& response) {
  GenerationRequest generation = read_responses_request(parse_body(request.body), context());
  auto reply = make_responses_reply(generation);
  answer(request, response, std::move(generation), std::move(reply));
}

void Server::Impl::completions(const Request& request, Response& response) {
  GenerationRequest generation = read_completion_request(parse_body(request.body), context());
  if (generation.completions.size() == 1) {
    auto reply = make_completion_reply(generation, reasoner_.identity().version);
    return answer(request, response, std::move(generation), std::move(reply));
  }
  // Several prompts run side by side and are answered as one body.
  std::vector<SessionTicket> tickets;
  for (const CompletionRequest& completion : generation.completions)
    tickets.push_back(reasoner_.complete(completion, terms_of(request)));
  Json whole;
  Usage usage;
  for (SessionTicket& ticket : tickets) {
    auto reply = make_completion_reply(generation, reasoner_.identity().version);
    const Finished finished = wait(ticket, request, reply.get());
    usage.prompt_tokens += finished.usage.prompt_tokens;
    usage.cached_tokens += finished.usage.cached_tokens;
    usage.completion_tokens += finished.usage.completion_tokens;
    Json body = reply->body();
    if (whole.is_null()) {
      whole = std::move(body);
      continue;
    }
    for (Json& choice : body["choices"]) {
      choice["index"] = whole["choices"].size();
      whole["choices"].push_back(std::move(choice));
    }
  }
  whole["usage"] = usage_json(usage);
  send_json(response, 200, whole);
}

void Server::Impl::embeddings(const Request& request, Response& response) {
  const Json body = parse_body(request.body);
  const FieldReader fields(body);
  check_model(fields, options_);
  if (fields.string("encoding_format").value_or("float") != "float")
    fields.refuse("encoding_format", "must be float");
  std::vector<SessionTicket> tickets;
  for (Tokens& prompt : read_prompts(fields, "input", context(), 256))
    tickets.push_back(reasoner_.embed(std::move(prompt), terms_of(request)));
  Json data = Json::array();
  int tokens = 0;
  for (SessionTicket& ticket : tickets) {
    const Finished finished = wait(ticket, request, nullptr);
    tokens += finished.usage.prompt_tokens;
    data.push_back(
        {{"object", "embedding"}, {"index", data.size()}, {"embedding", finished.embedding}});
  }
  send_json(response, 200,
            {{"object", "list"},
             {"data", std::move(data)},
             {"model", options_.served_name},
             {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}});
}

Json Server::Impl::model_json() const {
  const ModelInfo& info = reasoner_.model().info();
  return {{"id", options_.served_name},
          {"object", "model"},
          {"created", 0},
          {"owned_by", "polyphon"},
          {"meta",
           {{"version", reasoner_.identity().version},
            {"n_ctx_train", info.trained_context},
            {"n_embd", info.hidden_size},
            {"n_params", info.parameters},
            {"size", info.size_bytes},
            {"description", info.description}}}};
}

void Server::Impl::models(const Request& request, Response& response) {
  if (request.matches.size() < 2)
    return send_json(response, 200, {{"object", "list"}, {"data", Json::array({model_json()})}});
  const std::string name = request.matches[1];
  if (name != options_.served_name)
    throw Error(ErrorCode::kNotFound, "the model '" + name + "' is not served here", "model");
  send_json(response, 200, model_json());
}

void Server::Impl::health(const Request&, Response& response) {
  if (draining_) return send_json(response, 503, error_body(503, "the server is stopping"));
  send_json(response, 200, {{"status", "ok"}});
}

void Server::Impl::props(const Request&, Response& response) {
  const ReasonOptions& reason = reasoner_.options();
  Json strategies = Json::array();
  for (const Strategy& strategy : reason.strategies) strategies.push_back(strategy.name);
  send_json(response, 200,
            {{"model_path", reasoner_.model().info().path},
             {"chat_template", reasoner_.model().chat_template().source()},
             {"build_info", reasoner_.identity().version},
             {"n_ctx", reasoner_.engine().capacity_cells()},
             {"total_slots", reasoner_.engine().max_sequences()},
             {"polyphon",
              {{"version", reasoner_.identity().version},
               {"model_digest", reasoner_.identity().model_digest},
               {"thinks_in_streams", reasoner_.model().info().supports_views},
               {"topology", reason.topology.to_string()},
               {"merge", to_string(reason.merge)},
               {"strategies", std::move(strategies)},
               {"kv_bytes_per_cell", reasoner_.engine().bytes_per_cell()}}}});
}

void Server::Impl::slots(const Request&, Response& response) {
  const EngineStatus status = reasoner_.engine().status();
  Json slots = Json::array();
  for (int i = 0; i < status.sessions_live; ++i)
    slots.push_back({{"id", i}, {"is_processing", true}, {"n_ctx", status.cells_capacity}});
  send_json(response, 200, slots);
}

void Server::Impl::metrics(const Request&, Response& response) {
  response.set_content(metrics_.scrape(reasoner_.engine().status()), "text/plain; version=0.0.4");
}

void Server::Impl::tokenize(const Request& request, Response& response) {
  const Json body = parse_body(request.body);
  const FieldReader fields(body);
  const auto text = fields.string("content");
  if (!text) fields.refuse("content", "is required");
  const Vocabulary& vocabulary = reasoner_.model().vocabulary();
  const Tokens tokens = vocabulary.tokenize(*text, fields.boolean("parse_special").value_or(true),
                                            fields.boolean("add_special").value_or(false));
  if (!fields.boolean("with_pieces").value_or(false))
    return send_json(response, 200, {{"tokens", tokens}});
  Json pieces = Json::array();
  for (Token token : tokens)
    pieces.push_back({{"id", token}, {"piece", vocabulary.piece(token, true)}});
  send_json(response, 200, {{"tokens", std::move(pieces)}});
}

void Server::Impl::detokenize(const Request& request, Response& response) {
  const Json body = parse_body(request.body);
  const FieldReader fields(body);
  const Json* tokens = fields.array("tokens");
  if (!tokens) fields.refuse("tokens", "is required");
  std::string text;
  if (!tokens->empty())
    for (const Tokens& run : read_prompts(fields, "tokens", context(), 1))
      text += reasoner_.model().vocabulary().detokenize(run, true);
  send_json(response, 200, {{"content", text}});
}

void Server::Impl::apply_template(const Request& request, Response& response) {
  Json body = parse_body(request.body);
  body.erase("polyphon");
  const GenerationRequest generation = read_chat_request(body, context());
  send_json(response, 200,
            {{"prompt", reasoner_.model().vocabulary().detokenize(
                            generation.completions.at(0).prompt, true)}});
}

Server::Server(Reasoner& reasoner, const ServerOptions& options)
    : impl_(std::make_unique<Impl>(reasoner, options)) {}
Server::~Server() = default;
void Server::bind() { impl_->bind(); }
int Server::port() const { return impl_->port(); }
void Server::serve() { impl_->serve(); }
void Server::stop() { impl_->stop(); }

}  // namespace polyphon
