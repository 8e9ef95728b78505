// /v1/responses: one message of text, whole or as typed events.
#include <ctime>

#include "base/error.h"
#include "server/api_error.h"
#include "server/reply.h"

namespace polyphon {
namespace {

class ResponsesReply final : public Reply {
 public:
  explicit ResponsesReply(const GenerationRequest& request)
      : id_(fresh_id("resp")),
        message_id_(fresh_id("msg")),
        model_(request.model),
        created_(std::time(nullptr)),
        thinks_(request.think.has_value()) {}

  std::string stream(const SessionEvent& event) override {
    std::string text = opened_ ? "" : open();
    if (const auto* delta = std::get_if<AnswerDelta>(&event)) {
      text_ += delta->text;
      text += typed({{"type", "response.output_text.delta"},
                     {"item_id", message_id_},
                     {"output_index", 0},
                     {"content_index", 0},
                     {"delta", delta->text},
                     {"logprobs", Json::array()}});
    } else if (const auto* end = std::get_if<ChoiceEnded>(&event)) {
      finish_reason_ = end->finish_reason;
    } else if (const auto* finished = std::get_if<Finished>(&event)) {
      finished_ = *finished;
    }
    return text;
  }

  std::string stream_end() override {
    return typed({{"type", "response.output_text.done"},
                  {"item_id", message_id_},
                  {"output_index", 0},
                  {"content_index", 0},
                  {"text", text_},
                  {"logprobs", Json::array()}}) +
           typed({{"type", "response.content_part.done"},
                  {"item_id", message_id_},
                  {"output_index", 0},
                  {"content_index", 0},
                  {"part", part(text_)}}) +
           typed({{"type", "response.output_item.done"},
                  {"output_index", 0},
                  {"item", message("completed", text_)}}) +
           typed(
               {{"type", finish_reason_ == "length" ? "response.incomplete" : "response.completed"},
                {"response", body()}});
  }

  Json body() override {
    const bool cut = finish_reason_ == "length";
    Json json = response(cut ? "incomplete" : "completed");
    json["output"] = Json::array({message(cut ? "incomplete" : "completed", text_)});
    if (cut) json["incomplete_details"] = {{"reason", "max_output_tokens"}};
    json["usage"] = {
        {"input_tokens", finished_.usage.prompt_tokens},
        {"input_tokens_details", {{"cached_tokens", finished_.usage.cached_tokens}}},
        {"output_tokens", finished_.usage.completion_tokens},
        {"output_tokens_details", {{"reasoning_tokens", finished_.usage.reasoning_tokens}}},
        {"total_tokens", finished_.usage.prompt_tokens + finished_.usage.completion_tokens}};
    if (thinks_) json["polyphon"] = finished_.polyphon;
    return json;
  }

 private:
  static Json part(const std::string& text) {
    return {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}};
  }

  Json message(const char* status, const std::string& text) const {
    return {{"type", "message"},
            {"id", message_id_},
            {"status", status},
            {"role", "assistant"},
            {"content", Json::array({part(text)})}};
  }

  Json response(const char* status) const {
    return {{"id", id_},
            {"object", "response"},
            {"created_at", created_},
            {"model", model_},
            {"status", status},
            {"error", nullptr},
            {"incomplete_details", nullptr},
            {"instructions", nullptr},
            {"metadata", Json::object()},
            {"parallel_tool_calls", false},
            {"tool_choice", "auto"},
            {"tools", Json::array()},
            {"output", Json::array()},
            {"usage", nullptr}};
  }

  std::string typed(Json data) {
    data["sequence_number"] = sequence_++;
    return "event: " + data["type"].get<std::string>() + "\n" + sse(data);
  }

  std::string open() {
    opened_ = true;
    Json empty = message("in_progress", "");
    empty["content"] = Json::array();
    return typed({{"type", "response.created"}, {"response", response("in_progress")}}) +
           typed({{"type", "response.output_item.added"}, {"output_index", 0}, {"item", empty}}) +
           typed({{"type", "response.content_part.added"},
                  {"item_id", message_id_},
                  {"output_index", 0},
                  {"content_index", 0},
                  {"part", part("")}});
  }

  const std::string id_, message_id_, model_;
  const std::time_t created_;
  const bool thinks_;
  bool opened_ = false;
  int sequence_ = 0;
  std::string text_;
  std::string finish_reason_;
  Finished finished_;
};

}  // namespace

std::unique_ptr<Reply> make_responses_reply(const GenerationRequest& request) {
  return std::make_unique<ResponsesReply>(request);
}

}  // namespace polyphon
