#include "server/generation.h"

#include <algorithm>

#include "base/error.h"
#include "server/client_stream.h"
#include "server/embedding_request.h"
#include "server/event_stream.h"
#include "server/http_json.h"

namespace polyphon {
namespace {

using httplib::Request;
using httplib::Response;

// Interval of checks whether the client is still there.
constexpr std::chrono::milliseconds kPatience{200};
// Embeddings of one request that are computed at the same time.
constexpr size_t kEmbeddingBatch = 16;

// The reasoner's errors name the prompt "messages"; each endpoint has its own name for it.
template <typename Body>
auto naming_prompt(const char* field, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    if (error.field() != "messages") throw;
    throw Error(error.code(), error.what(), field);
  }
}

}  // namespace

SessionGroup Generation::start(const GenerationRequest& generation, const Request& request) {
  SessionTerms terms = state_.terms_of(request);
  terms.priority = generation.priority;
  terms.cache_prompt = generation.cache_prompt;
  if (generation.think) {
    SessionGroup sessions;
    sessions.add(state_.reasoner.think(*generation.think, terms));
    return sessions;
  }
  SessionGroup sessions(generation.completions[0].choices);
  for (const CompletionRequest& completion : generation.completions)
    sessions.add(state_.reasoner.complete(completion, terms));
  return sessions;
}

// Waits for the next event. Throws if the client goes away or the server stops.
SessionEvent Generation::next(SessionGroup& sessions) {
  while (true) {
    if (auto event = sessions.next(kPatience)) {
      if (auto* failed = std::get_if<Failed>(&*event)) throw failed->error;
      return std::move(*event);
    }
    if (client_is_gone()) throw Error(ErrorCode::kCancelled, "the client has gone away");
    if (state_.slots.is_cut_off()) throw Error(ErrorCode::kUnavailable, "the server is stopping");
  }
}

Finished Generation::run(SessionGroup& sessions, Reply* reply) {
  auto looked = std::chrono::steady_clock::now();
  while (true) {
    SessionEvent event = next(sessions);
    if (reply) reply->on_event(event);
    if (sessions.over()) return std::get<Finished>(std::move(event));
    // Check also if events arrive all the time.
    const auto now = std::chrono::steady_clock::now();
    if (now - looked < kPatience) continue;
    looked = now;
    if (client_is_gone()) throw Error(ErrorCode::kCancelled, "the client has gone away");
    if (state_.slots.is_cut_off()) throw Error(ErrorCode::kUnavailable, "the server is stopping");
  }
}

void Generation::answer(const Request& request, Response& response,
                        const GenerationRequest& generation, std::unique_ptr<Reply> reply) {
  auto slot = state_.slots.take();
  SessionGroup sessions = start(generation, request);
  if (!generation.stream) {
    run(sessions, reply.get());
    return send_json(response, 200, reply->body());
  }
  // Errors up to here are answered with their own status; later ones are sent as an event.
  stream_events(response, state_, std::move(slot), std::move(sessions), std::move(reply));
}

void Generation::chat(const Request& request, Response& response) {
  const GenerationRequest generation =
      read_chat_request(parse_body(request.body), state_.context());
  answer(request, response, generation,
         make_chat_reply(generation, state_.reasoner.identity().version));
}

void Generation::responses(const Request& request, Response& response) {
  const GenerationRequest generation =
      read_responses_request(parse_body(request.body), state_.context());
  naming_prompt("input",
                [&] { answer(request, response, generation, make_responses_reply(generation)); });
}

void Generation::completions(const Request& request, Response& response) {
  const GenerationRequest generation =
      read_completion_request(parse_body(request.body), state_.context());
  naming_prompt("prompt", [&] {
    answer(request, response, generation,
           make_completion_reply(generation, state_.reasoner.identity().version));
  });
}

void Generation::embeddings(const Request& request, Response& response) {
  const EmbeddingRequest wanted =
      read_embedding_request(parse_body(request.body), state_.context());
  const auto slot = state_.slots.take();
  Json data = Json::array();
  int tokens = 0;
  for (size_t begin = 0; begin < wanted.prompts.size(); begin += kEmbeddingBatch) {
    const size_t end = std::min(wanted.prompts.size(), begin + kEmbeddingBatch);
    std::vector<SessionGroup> batch;
    for (size_t i = begin; i < end; ++i)
      batch.emplace_back().add(state_.reasoner.embed(wanted.prompts[i], state_.terms_of(request)));
    for (SessionGroup& sessions : batch) {
      const Finished finished = run(sessions, nullptr);
      tokens += finished.usage.prompt_tokens;
      data.push_back({{"object", "embedding"},
                      {"index", data.size()},
                      {"embedding", embedding_json(finished.embedding, wanted.base64)}});
    }
  }
  send_json(response, 200,
            {{"object", "list"},
             {"data", std::move(data)},
             {"model", wanted.model},
             {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}});
}

}  // namespace polyphon
