// /v1/chat/completions: chat.completion and chat.completion.chunk.
#include <fmt/format.h>

#include <ctime>
#include <map>

#include "base/error.h"
#include "server/api_error.h"
#include "server/reply.h"

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

Json call_json(const ToolCall& call) {
  return {{"id", call.id},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

// One choice as it grows, read anew at every delta by the template's parser.
struct ChatChoice {
  std::string raw;
  ParsedMessage message;
  Json logprobs = Json::array();
  std::string finish_reason;
};

class ChatReply final : public Reply {
 public:
  ChatReply(const GenerationRequest& request, const std::string& version)
      : id_(fresh_id("chatcmpl")),
        model_(request.model),
        version_(version),
        created_(std::time(nullptr)),
        thinks_(request.think.has_value()),
        include_usage_(request.include_usage),
        wants_logprobs_(
            (thinks_ ? request.think->answer_sampling : request.completions[0].sampling).logprobs >=
            0),
        parser_(request.parser),
        choices_(thinks_ ? 1 : static_cast<size_t>(request.completions[0].choices)) {}

  std::string stream(const SessionEvent& event) override;
  std::string stream_end() override;
  Json body() override;

 private:
  std::string on_thought(const ThoughtDelta& delta);
  std::string on_answer(const AnswerDelta& delta);
  std::string on_choice_end(const ChoiceEnded& end);
  ParsedMessage parse(const ChatChoice& choice, bool partial) const;
  Json difference(const ParsedMessage& before, ParsedMessage& after);
  Json chunk(int choice, Json delta, Json finish_reason = nullptr) const;
  std::string role_first(int choice);

  const std::string id_, model_, version_;
  const std::time_t created_;
  const bool thinks_, include_usage_, wants_logprobs_;
  const std::shared_ptr<const MessageParser> parser_;
  std::vector<ChatChoice> choices_;
  std::vector<bool> opened_ = std::vector<bool>(choices_.size());
  std::map<int, std::string> strategies_;  // by stream
  std::map<int, std::string> thoughts_;
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

std::string ChatReply::role_first(int choice) {
  if (opened_[static_cast<size_t>(choice)]) return "";
  opened_[static_cast<size_t>(choice)] = true;
  return sse(chunk(choice, {{"role", "assistant"}, {"content", ""}}));
}

std::string ChatReply::stream(const SessionEvent& event) {
  if (const auto* started = std::get_if<StreamStarted>(&event)) {
    strategies_[started->stream] = started->strategy;
    Json data = chunk(0, Json::object());
    data["polyphon"] = {{"event", "stream_started"},
                        {"stream", {{"id", started->stream}, {"strategy", started->strategy}}}};
    return role_first(0) + sse(data);
  }
  if (const auto* ended = std::get_if<StreamEnded>(&event)) {
    Json data = chunk(0, Json::object());
    data["polyphon"] = {
        {"event", "stream_ended"},
        {"stream", {{"id", ended->stream}, {"strategy", strategies_[ended->stream]}}},
        {"finish_reason", ended->finish_reason},
        {"answer", ended->answer},
        {"tokens", ended->tokens}};
    return sse(data);
  }
  if (const auto* thought = std::get_if<ThoughtDelta>(&event)) return on_thought(*thought);
  if (const auto* answer = std::get_if<AnswerDelta>(&event)) return on_answer(*answer);
  if (const auto* end = std::get_if<ChoiceEnded>(&event)) return on_choice_end(*end);
  if (const auto* finished = std::get_if<Finished>(&event)) finished_ = *finished;
  return "";
}

std::string ChatReply::on_thought(const ThoughtDelta& delta) {
  thoughts_[delta.stream] += delta.text;
  Json data = chunk(0, {{"reasoning_content", delta.text}});
  data["polyphon"] = {{"stream", {{"id", delta.stream}, {"strategy", strategies_[delta.stream]}}}};
  return sse(data);
}

// Text that the parser cannot read is content as it stands.
ParsedMessage ChatReply::parse(const ChatChoice& choice, bool partial) const {
  try {
    return parser_->parse(choice.raw, partial);
  } catch (const Error&) {
    return {choice.raw, "", {}};
  }
}

// The delta between two readings of the same growing text; null when there is none. Calls keep the
// ids that they were first sent with.
Json ChatReply::difference(const ParsedMessage& before, ParsedMessage& after) {
  Json delta;
  const auto grown = [](const std::string& from, const std::string& to) {
    return to.starts_with(from) ? to.substr(from.size()) : std::string();
  };
  const std::string content = grown(before.content, after.content);
  const std::string reasoning = grown(before.reasoning_content, after.reasoning_content);
  if (!content.empty()) delta["content"] = content;
  if (!reasoning.empty()) delta["reasoning_content"] = reasoning;
  for (size_t i = 0; i < after.tool_calls.size(); ++i) {
    ToolCall& call = after.tool_calls[i];
    const bool fresh = i >= before.tool_calls.size();
    call.id = fresh ? fresh_id("call") : before.tool_calls[i].id;
    const std::string arguments =
        fresh ? call.arguments : grown(before.tool_calls[i].arguments, call.arguments);
    if (!fresh && arguments.empty()) continue;
    Json part = {{"index", i}, {"function", {{"arguments", arguments}}}};
    if (fresh) {
      part["id"] = call.id;
      part["type"] = "function";
      part["function"]["name"] = call.name;
    }
    delta["tool_calls"].push_back(std::move(part));
  }
  return delta;
}

std::string ChatReply::on_answer(const AnswerDelta& delta) {
  ChatChoice& choice = choices_[static_cast<size_t>(delta.choice)];
  choice.raw += delta.text;
  Json logprobs = Json::array();
  for (const TextLogprob& logprob : delta.logprobs) logprobs.push_back(logprob_json(logprob));
  choice.logprobs.insert(choice.logprobs.end(), logprobs.begin(), logprobs.end());
  ParsedMessage next = parse(choice, true);
  Json changed = difference(choice.message, next);
  choice.message = std::move(next);
  std::string text = role_first(delta.choice);
  if (changed.is_null() && !wants_logprobs_) return text;
  Json data = chunk(delta.choice, changed.is_null() ? Json::object() : std::move(changed));
  if (wants_logprobs_) data["choices"][0]["logprobs"] = {{"content", std::move(logprobs)}};
  return text + sse(data);
}

std::string ChatReply::on_choice_end(const ChoiceEnded& end) {
  ChatChoice& choice = choices_[static_cast<size_t>(end.choice)];
  ParsedMessage last = parse(choice, end.finish_reason == "length");
  Json rest = difference(choice.message, last);
  choice.message = std::move(last);
  const bool calls = !choice.message.tool_calls.empty() && end.finish_reason == "stop";
  choice.finish_reason = calls ? "tool_calls" : end.finish_reason;
  std::string text = role_first(end.choice);
  if (!rest.is_null()) text += sse(chunk(end.choice, std::move(rest)));
  // A request that thinks gets its finish reason with the polyphon object, at the very end.
  if (!thinks_) text += sse(chunk(end.choice, Json::object(), choice.finish_reason));
  return text;
}

std::string ChatReply::stream_end() {
  std::string text;
  if (thinks_) {
    Json last = chunk(0, Json::object(), choices_[0].finish_reason);
    last["polyphon"] = finished_.polyphon;
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
  Json choices = Json::array();
  for (size_t i = 0; i < choices_.size(); ++i) {
    const ChatChoice& choice = choices_[i];
    Json message = {{"role", "assistant"}, {"content", choice.message.content}};
    std::string reasoning = choice.message.reasoning_content;
    for (const auto& [stream, thought] : thoughts_)
      reasoning += fmt::format("[stream {}: {}]\n{}\n\n", stream, strategies_[stream], thought);
    if (!reasoning.empty()) message["reasoning_content"] = reasoning;
    if (!choice.message.tool_calls.empty()) {
      if (choice.message.content.empty()) message["content"] = nullptr;
      for (const ToolCall& call : choice.message.tool_calls)
        message["tool_calls"].push_back(call_json(call));
    }
    choices.push_back({{"index", i},
                       {"message", std::move(message)},
                       {"logprobs", wants_logprobs_ ? Json{{"content", choice.logprobs}} : Json()},
                       {"finish_reason", choice.finish_reason}});
  }
  Json body = {{"id", id_},
               {"object", "chat.completion"},
               {"created", created_},
               {"model", model_},
               {"system_fingerprint", version_},
               {"choices", std::move(choices)},
               {"usage", usage_json(finished_.usage)},
               {"timings", to_json(finished_.timings)}};
  if (thinks_) body["polyphon"] = finished_.polyphon;
  return body;
}

}  // namespace

std::unique_ptr<Reply> make_chat_reply(const GenerationRequest& request,
                                       const std::string& version) {
  return std::make_unique<ChatReply>(request, version);
}

}  // namespace polyphon
