#include "server/introspection.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/shown.h"
#include "base/utf8.h"
#include "server/api_error.h"
#include "server/http_json.h"

namespace polyphon {
namespace {

// A scrape waits this long until finished sessions are counted.
constexpr std::chrono::milliseconds kToCount{100};

// A step of a big model on a slow machine takes seconds, but never as long as this.
constexpr double kMostStuckMs = 30'000;

// Uses llama-server's names if it has one. n_remain is what is reserved and not used yet.
Json slot_json(const SessionStatus& session, const VersionStatus& on) {
  const int remain = session.cells_reserved - session.cells_used;
  return {{"id", session.number},
          {"id_task", session.number},
          {"n_ctx", on.status.cells_capacity},
          {"is_processing", !session.waiting},
          {"n_prompt_tokens", session.prompt_tokens},
          {"n_prompt_tokens_cache", session.prompt_tokens_cached},
          {"n_prompt_tokens_processed", session.prompt_tokens_decoded},
          {"next_token", Json::array({{{"has_next_token", session.sequences_sampling > 0},
                                       {"n_decoded", session.tokens_sampled},
                                       {"n_remain", remain}}})},
          {"polyphon",
           {{"version", on.version},
            {"waiting", session.waiting},
            {"age_ms", session.age_ms},
            {"streams_live", session.sequences_sampling},
            {"sequences", session.sequences},
            {"cells_used", session.cells_used},
            {"cells_reserved", session.cells_reserved}}}};
}

}  // namespace

using httplib::Request;
using httplib::Response;

Json Introspection::model_json(const std::string& name) const {
  const ModelInfo& info = state_.reasoner.model().info();
  const Reasoner::Identity identity = state_.reasoner.identity();
  return {{"id", name},
          {"object", "model"},
          {"created", 0},
          {"owned_by", "polyphon"},
          {"meta",
           {{"version", identity.version},
            {"version_digest", version_digest(identity.model_digest, identity.trained)},
            {"n_vocab", state_.reasoner.model().vocabulary().size()},
            {"n_ctx_train", info.trained_context},
            {"n_embd", info.hidden_size},
            {"n_params", info.parameters},
            {"size", info.size_bytes},
            {"description", info.description}}}};
}

void Introspection::models(const Request& request, Response& response) {
  const ServerOptions& options = state_.options;
  if (request.matches.size() < 2) {
    Json data = Json::array({model_json(options.served_name)});
    for (const std::string& alias : options.aliases) data.push_back(model_json(alias));
    return send_json(response, 200, {{"object", "list"}, {"data", std::move(data)}});
  }
  const std::string name = request.matches[1];
  const auto& aliases = options.aliases;
  if (name != options.served_name &&
      std::find(aliases.begin(), aliases.end(), name) == aliases.end())
    throw Error(ErrorCode::kNotFound, "the model '" + shown(name) + "' is not served here",
                "model");
  send_json(response, 200, model_json(name));
}

void Introspection::health(const Request&, Response& response) {
  if (state_.slots.closed())
    return send_json(response, 503, error_body(503, "the server is stopping"));
  const double stuck_ms = state_.reasoner.engine()->stuck_ms();
  if (stuck_ms > kMostStuckMs)
    return send_json(
        response, 503,
        error_body(503, fmt::format("the decode thread has made no progress for {:.0f} s: restart "
                                    "the server if that does not end",
                                    stuck_ms / 1000)));
  send_json(response, 200, {{"status", "ok"}});
}

void Introspection::props(const Request&, Response& response) {
  const ReasonOptions& reason = state_.reasoner.options();
  const auto engine = state_.reasoner.engine();
  const ModelInfo& model = state_.reasoner.model().info();
  const Reasoner::Identity identity = state_.reasoner.identity();
  const SamplingParams sampling;
  Json strategies = Json::array();
  for (const Strategy& strategy : reason.strategies) strategies.push_back(strategy.name);
  send_json(response, 200,
            {{"default_generation_settings",
              {{"n_ctx", engine->capacity_cells()},
               {"params",
                {{"temperature", sampling.temperature},
                 {"top_k", sampling.top_k},
                 {"top_p", sampling.top_p},
                 {"min_p", sampling.min_p},
                 {"repeat_penalty", sampling.repetition_penalty},
                 {"repeat_last_n", sampling.penalty_last_n},
                 {"n_predict", state_.options.default_max_tokens}}}}},
             {"total_slots", engine->max_sequences()},
             {"model_alias", state_.options.served_name},
             {"model_path", model.path},
             {"chat_template", state_.reasoner.model().chat_template().source()},
             {"build_info", identity.version},
             {"modalities", {{"vision", false}, {"audio", false}}},
             {"n_ctx", engine->capacity_cells()},
             {"polyphon",
              {{"version", identity.version},
               {"version_digest", version_digest(identity.model_digest, identity.trained)},
               {"model_digest", identity.model_digest},
               {"thinks_in_streams", model.supports_views},
               {"views_reason", model.views_reason},
               {"topology", reason.defaults.topology.to_string()},
               {"merge", to_string(reason.defaults.merge)},
               {"strategies", std::move(strategies)},
               {"kv_bytes_per_cell", engine->bytes_per_cell()}}}});
}

// One entry per session, live or waiting: an engine has no fixed slots. Each engine numbers its own
// sessions.
void Introspection::slots(const Request& request, Response& response) {
  if (request.has_param("fail_on_no_slot") &&
      state_.reasoner.engine()->status().sessions_waiting > 0)
    return send_json(response, 503, error_body(503, "all sessions that fit are running"));
  Json slots = Json::array();
  for (const VersionStatus& version : state_.reasoner.engine_status())
    for (const SessionStatus& session : version.status.sessions)
      slots.push_back(slot_json(session, version));
  send_json(response, 200, slots);
}

void Introspection::metrics(const Request&, Response& response) {
  // The figures must include every session whose answer was sent.
  SessionSinks& sinks = state_.reasoner.sinks();
  sinks.wait(kToCount);
  response.set_content(state_.metrics.scrape(state_.reasoner.engine_status(), sinks.dropped()),
                       "text/plain; version=0.0.4");
}

void Introspection::tokenize(const Request& request, Response& response) {
  const OrderedJson body = parse_body(request.body);
  const FieldReader fields(body);
  const auto text = fields.string("content");
  if (!text) fields.refuse("content", "is required");
  const Vocabulary& vocabulary = state_.reasoner.model().vocabulary();
  const Tokens tokens = vocabulary.tokenize(*text, fields.boolean("parse_special").value_or(true),
                                            fields.boolean("add_special").value_or(false));
  if (!fields.boolean("with_pieces").value_or(false))
    return send_json(response, 200, {{"tokens", tokens}});
  Json pieces = Json::array();
  for (Token token : tokens) {
    std::string piece = vocabulary.piece(token, true);
    // Like llama-server: an array of bytes if the piece alone is not valid UTF-8.
    Json text = piece;
    if (!is_valid_utf8(piece)) text = std::vector<uint8_t>(piece.begin(), piece.end());
    pieces.push_back({{"id", token}, {"piece", std::move(text)}});
  }
  send_json(response, 200, {{"tokens", std::move(pieces)}});
}

void Introspection::detokenize(const Request& request, Response& response) {
  const OrderedJson body = parse_body(request.body);
  const FieldReader fields(body);
  const OrderedJson* tokens = fields.array("tokens");
  if (!tokens) fields.refuse("tokens", "is required");
  std::string text;
  if (!tokens->empty())
    for (const Tokens& run : read_prompts(fields, "tokens", state_.context(), 1))
      text += state_.reasoner.model().vocabulary().detokenize(run, true);
  send_json(response, 200, {{"content", text}});
}

void Introspection::apply_template(const Request& request, Response& response) {
  const OrderedJson body = parse_body(request.body);
  const ChatInput chat = read_chat_input(FieldReader(body));
  send_json(response, 200, {{"prompt", state_.reasoner.model().chat_template().render(chat).text}});
}

}  // namespace polyphon
