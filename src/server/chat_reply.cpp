// /v1/chat/completions: chat.completion and chat.completion.chunk.
#include <ctime>

#include "record/codec.h"
#include "server/api_error.h"
#include "server/message_text.h"
#include "server/reply.h"
#include "server/thought_log.h"

namespace polyphon {
namespace {

Json logprob_json(const TextLogprob& logprob) {
  const auto entry = [](const auto& one) {
    Json bytes = Json::array();
    for (char byte : one.text) bytes.push_back(static_cast<unsigned char>(byte));
    return Json{{"token", one.text}, {"logprob", one.logprob}, {"bytes", std::move(bytes)}};
  };
  Json json = entry(logprob);
  json["top_logprobs"] = Json::array();
  for (const TextLogprob::Alternative& other : logprob.top)
    json["top_logprobs"].push_back(entry(other));
  return json;
}

Json delta_json(const MessageDelta& delta) {
  Json json = Json::object();
  if (!delta.content.empty()) json["content"] = delta.content;
  if (!delta.reasoning_content.empty()) json["reasoning_content"] = delta.reasoning_content;
  for (const ToolCallDelta& call : delta.tool_calls) {
    Json part = {{"index", call.index}, {"function", {{"arguments", call.arguments}}}};
    if (call.first) {
      part["id"] = call.id;
      part["type"] = "function";
      part["function"]["name"] = call.name;
    }
    json["tool_calls"].push_back(std::move(part));
  }
  return json;
}

Json message_json(const ParsedMessage& parsed, const std::string& thoughts) {
  Json message = {{"role", "assistant"}, {"content", parsed.content}};
  const std::string reasoning = thoughts + parsed.reasoning_content;
  if (!reasoning.empty()) message["reasoning_content"] = reasoning;
  if (!parsed.tool_calls.empty() && parsed.content.empty()) message["content"] = nullptr;
  for (const ToolCall& call : parsed.tool_calls)
    message["tool_calls"].push_back(
        {{"id", call.id},
         {"type", "function"},
         {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  return message;
}

class ChatReply final : public Reply {
 public:
  ChatReply(const GenerationRequest& request, const std::string& version)
      : id_(fresh_id("chatcmpl")),
        model_(request.model),
        version_(version),
        created_(std::time(nullptr)),
        thinks_(request.think.has_value()),
        streaming_(request.stream),
        stream_thoughts_(request.stream_thoughts),
        include_trace_(request.include_trace),
        include_usage_(request.include_usage),
        wants_logprobs_(request.answer_sampling().logprobs >= 0),
        choices_(request.choices(), Choice(request)) {}

  std::string opening() override {
    std::string text;
    for (size_t i = 0; i < choices_.size(); ++i)
      text += sse(chunk(static_cast<int>(i), {{"role", "assistant"}, {"content", ""}}));
    return text;
  }
  std::string on_event(const SessionEvent& event) override {
    thoughts_.add(event);
    return std::visit([this](const auto& one) { return on(one); }, event);
  }
  std::string stream_end() override;
  Json body() override;

 private:
  struct Choice {
    explicit Choice(const GenerationRequest& request) : text(request.parser, request.stream) {}
    MessageText text;
    Json logprobs = Json::array();
    std::string finish_reason;
  };

  std::string on(const StreamStarted& started);
  std::string on(const ThoughtDelta& thought);
  std::string on(const StreamEnded& ended);
  std::string on(const Promoted& promoted);
  std::string on(const Recalled& recalled);
  std::string on(const SearchBegan& began);
  std::string on(const SearchEnded& ended);
  std::string on(const AnswerDelta& delta);
  std::string on(const ChoiceEnded& end);
  std::string on(const Finished& finished) {
    finished_ = finished;
    return "";
  }
  std::string on(const Failed&) { return ""; }

  Choice& at(int choice) { return choices_[static_cast<size_t>(choice)]; }
  Json chunk(int choice, Json delta, Json finish_reason = nullptr) const;
  std::string event(Json polyphon);

  const std::string id_, model_, version_;
  const std::time_t created_;
  const bool thinks_, streaming_, stream_thoughts_, include_trace_, include_usage_, wants_logprobs_;
  std::vector<Choice> choices_;
  ThoughtLog thoughts_;
  Finished finished_;
};

Json ChatReply::chunk(int choice, Json delta, Json finish_reason) const {
  return {{"id", id_},
          {"object", "chat.completion.chunk"},
          {"created", created_},
          {"model", model_},
          {"system_fingerprint", version_},
          {"choices",
           {{{"index", choice},
             {"delta", std::move(delta)},
             {"logprobs", nullptr},
             {"finish_reason", std::move(finish_reason)}}}}};
}

std::string ChatReply::on(const StreamStarted& started) {
  if (!streaming_ || !stream_thoughts_) return "";
  Json data = chunk(0, Json::object());
  data["polyphon"] = {{"event", "stream_started"}, {"stream", thoughts_.tag(started.stream)}};
  return sse(data);
}

std::string ChatReply::on(const ThoughtDelta& thought) {
  if (!streaming_ || !stream_thoughts_) return "";
  Json data = chunk(0, {{"reasoning_content", thought.text}});
  data["polyphon"] = {{"stream", thoughts_.tag(thought.stream)}};
  return sse(data);
}

std::string ChatReply::on(const StreamEnded& ended) {
  if (!streaming_ || !stream_thoughts_) return "";
  Json data = chunk(0, Json::object());
  data["polyphon"] = {{"event", "stream_ended"},
                      {"stream", thoughts_.tag(ended.stream)},
                      {"finish_reason", name_of(ended.finish_reason)},
                      {"answer", ended.answer},
                      {"tokens", ended.tokens}};
  return sse(data);
}

// An event of the streams, as a chunk without a delta.
std::string ChatReply::event(Json polyphon) {
  if (!streaming_ || !stream_thoughts_) return "";
  Json data = chunk(0, Json::object());
  data["polyphon"] = std::move(polyphon);
  return sse(data);
}

std::string ChatReply::on(const Promoted& promoted) {
  return event({{"event", "promotion"},
                {"promotion", promoted.promotion},
                {"source", spelled(promoted.source)},
                {"text", promoted.text},
                {"p", promoted.probability}});
}

std::string ChatReply::on(const Recalled& recalled) {
  return event({{"event", "recall"},
                {"stream", thoughts_.tag(recalled.stream)},
                {"by", name_of(recalled.by)},
                {"texts", recalled.texts}});
}

std::string ChatReply::on(const SearchBegan& began) {
  return event({{"event", "search_began"},
                {"stream", thoughts_.tag(began.stream)},
                {"search", began.search},
                {"trigger", name_of(began.trigger)}});
}

std::string ChatReply::on(const SearchEnded& ended) {
  return event({{"event", "search_ended"},
                {"stream", thoughts_.tag(ended.stream)},
                {"search", ended.search},
                {"simulations", ended.simulations},
                {"tokens", ended.tokens},
                {"committed_tokens", ended.committed_tokens},
                {"leaves_per_step", ended.leaves_per_step}});
}

std::string ChatReply::on(const AnswerDelta& delta) {
  Choice& choice = at(delta.choice);
  Json logprobs = Json::array();
  for (const TextLogprob& logprob : delta.logprobs) logprobs.push_back(logprob_json(logprob));
  const MessageDelta added = choice.text.add(delta.text);
  if (!streaming_) {
    choice.logprobs.insert(choice.logprobs.end(), logprobs.begin(), logprobs.end());
    return "";
  }
  if (added.empty() && logprobs.empty()) return "";
  Json data = chunk(delta.choice, delta_json(added));
  if (wants_logprobs_) data["choices"][0]["logprobs"] = {{"content", std::move(logprobs)}};
  return sse(data);
}

std::string ChatReply::on(const ChoiceEnded& end) {
  Choice& choice = at(end.choice);
  const MessageDelta rest = choice.text.end(end.finish_reason == FinishReason::kLength);
  const bool calls =
      !choice.text.message().tool_calls.empty() && end.finish_reason == FinishReason::kStop;
  choice.finish_reason = calls ? "tool_calls" : name_of(end.finish_reason);
  std::string text;
  if (!rest.empty()) text = sse(chunk(end.choice, delta_json(rest)));
  // A thinking request gets its finish reason at the very end, with the polyphon object.
  if (!thinks_) text += sse(chunk(end.choice, Json::object(), choice.finish_reason));
  return text;
}

std::string ChatReply::stream_end() {
  std::string text;
  if (thinks_) {
    Json last = chunk(0, Json::object(), choices_[0].finish_reason);
    last["polyphon"] = polyphon_json(finished_, include_trace_);
    text += sse(last);
  }
  if (include_usage_) {
    Json usage = chunk(0, Json::object());
    usage["choices"] = Json::array();
    usage["usage"] = usage_json(finished_.usage);
    text += sse(usage);
  }
  return text + "data: [DONE]\n\n";
}

Json ChatReply::body() {
  const std::string thoughts = thoughts_.text();
  Json choices = Json::array();
  for (size_t i = 0; i < choices_.size(); ++i)
    choices.push_back(
        {{"index", i},
         {"message", message_json(choices_[i].text.message(), thoughts)},
         {"logprobs", wants_logprobs_ ? Json{{"content", choices_[i].logprobs}} : Json()},
         {"finish_reason", choices_[i].finish_reason}});
  Json body = {{"id", id_},
               {"object", "chat.completion"},
               {"created", created_},
               {"model", model_},
               {"system_fingerprint", version_},
               {"choices", std::move(choices)},
               {"usage", usage_json(finished_.usage)},
               {"timings", to_json(finished_.timings)}};
  if (thinks_) body["polyphon"] = polyphon_json(finished_, include_trace_);
  return body;
}

}  // namespace

std::unique_ptr<Reply> make_chat_reply(const GenerationRequest& request,
                                       const std::string& version) {
  return std::make_unique<ChatReply>(request, version);
}

}  // namespace polyphon
