// /v1/responses: output items (reasoning, message, function_call), whole or as typed events. Items
// grow side by side: each stream's thoughts are one reasoning item.
#include <ctime>
#include <map>

#include "server/message_text.h"
#include "server/reply.h"
#include "server/thought_log.h"

namespace polyphon {
namespace {

// How an item's text grows: the member, and the names of its events.
struct Growth {
  const char* event;  // "response.output_text"
  const char* part;   // content part's type, null for function calls
};
constexpr Growth kText = {"response.output_text", "output_text"};
constexpr Growth kReasoning = {"response.reasoning_text", "reasoning_text"};
constexpr Growth kArguments = {"response.function_call_arguments", nullptr};

Json part_json(const Growth& growth, const std::string& text) {
  Json part = {{"type", growth.part}, {"text", text}};
  if (growth.part == std::string("output_text")) part["annotations"] = Json::array();
  return part;
}

class ResponsesReply final : public Reply {
 public:
  explicit ResponsesReply(const GenerationRequest& request)
      : id_(fresh_id("resp")),
        model_(request.model),
        created_(std::time(nullptr)),
        thinks_(request.think.has_value()),
        include_trace_(request.include_trace),
        shows_thoughts_(!request.stream || request.stream_thoughts),
        text_(request.parser, request.stream) {}

  std::string opening() override {
    std::string out = typed({{"type", "response.created"}, {"response", response("in_progress")}});
    return out += typed({{"type", "response.in_progress"}, {"response", response("in_progress")}});
  }

  std::string on_event(const SessionEvent& event) override {
    std::string out;
    thoughts_.add(event);
    if (const auto* thought = std::get_if<ThoughtDelta>(&event)) {
      if (shows_thoughts_) out += grow(thought_item(thought->stream), thought->text);
    } else if (const auto* ended = std::get_if<StreamEnded>(&event)) {
      if (shows_thoughts_) out += close(thought_item(ended->stream));
    } else if (const auto* delta = std::get_if<AnswerDelta>(&event)) {
      out += grow(text_.add(delta->text));
    } else if (const auto* end = std::get_if<ChoiceEnded>(&event)) {
      cut_ = end->finish_reason == FinishReason::kLength;
      out += grow(text_.end(cut_));
      // An empty answer is sent as a message too.
      if (items_.size() == thought_items_.size()) out += grow(item_of("message"), "");
      for (Item& item : items_) out += close(item);
    } else if (const auto* finished = std::get_if<Finished>(&event)) {
      finished_ = *finished;
    }
    return out;
  }

  std::string stream_end() override {
    return typed(
        {{"type", cut_ ? "response.incomplete" : "response.completed"}, {"response", body()}});
  }

  Json body() override {
    Json json = response(cut_ ? "incomplete" : "completed");
    for (const Item& item : items_) json["output"].push_back(item_json(item));
    if (cut_) json["incomplete_details"] = {{"reason", "max_output_tokens"}};
    const Usage& usage = finished_.usage;
    json["usage"] = {{"input_tokens", usage.prompt_tokens},
                     {"input_tokens_details", {{"cached_tokens", usage.cached_tokens}}},
                     {"output_tokens", usage.completion_tokens},
                     {"output_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}},
                     {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
    if (thinks_) json["polyphon"] = polyphon_json(finished_, include_trace_);
    return json;
  }

 private:
  struct Item {
    size_t index = 0;  // output_index
    std::string type;
    Growth growth;
    std::string id;
    std::string text;
    int stream = -1;      // of an item with a stream's thoughts
    std::string call_id;  // of an item with a function call
    std::string name;
    bool announced = false, closed = false;
  };

  Item& item_of(const std::string& type) {
    for (Item& item : items_)
      if (item.type == type && item.stream < 0 && type != "function_call") return item;
    const bool message = type == "message", call = type == "function_call";
    Item item;
    item.index = items_.size();
    item.type = type;
    item.growth = message ? kText : call ? kArguments : kReasoning;
    item.id = fresh_id(message ? "msg" : call ? "fc" : "rs");
    return items_.emplace_back(std::move(item));
  }

  Item& thought_item(int stream) {
    const auto found = thought_items_.find(stream);
    if (found != thought_items_.end()) return items_[found->second];
    thought_items_[stream] = items_.size();
    Item item;
    item.index = items_.size();
    item.type = "reasoning";
    item.growth = kReasoning;
    item.id = fresh_id("rs");
    item.stream = stream;
    return items_.emplace_back(std::move(item));
  }

  std::string grow(const MessageDelta& delta) {
    std::string out;
    if (!delta.reasoning_content.empty())
      out += grow(item_of("reasoning"), delta.reasoning_content);
    if (!delta.content.empty()) out += grow(item_of("message"), delta.content);
    for (const ToolCallDelta& call : delta.tool_calls) {
      if (call.first) {
        Item& item = item_of("function_call");
        item.call_id = call.id;
        item.name = call.name;
        call_items_.push_back(item.index);
      }
      out += grow(items_[call_items_[call.index]], call.arguments);
    }
    return out;
  }

  std::string grow(Item& item, const std::string& text) {
    std::string out;
    if (!std::exchange(item.announced, true)) {
      out += typed({{"type", "response.output_item.added"},
                    {"output_index", item.index},
                    {"item", item_json(item, "in_progress")}});
      if (item.growth.part)
        out += at_part(item, "response.content_part.added", "part", part_json(item.growth, ""));
    }
    item.text += text;
    if (!text.empty())
      out += at_part(item, std::string(item.growth.event) + ".delta", "delta", text);
    return out;
  }

  std::string close(Item& item) {
    if (std::exchange(item.closed, true)) return "";
    std::string out = at_part(item, std::string(item.growth.event) + ".done",
                              item.growth.part ? "text" : "arguments", item.text);
    if (item.growth.part)
      out += at_part(item, "response.content_part.done", "part", part_json(item.growth, item.text));
    return out + typed({{"type", "response.output_item.done"},
                        {"output_index", item.index},
                        {"item", item_json(item)}});
  }

  std::string at_part(const Item& item, const std::string& type, const char* key, Json value) {
    Json data = {{"type", type}, {"item_id", item.id}, {"output_index", item.index}};
    if (item.growth.part) data["content_index"] = 0;
    if (item.growth.event == kText.event && !type.ends_with("_part.added") &&
        !type.ends_with("_part.done"))
      data["logprobs"] = Json::array();
    if (!item.growth.part && type.ends_with(".done")) data["name"] = item.name;
    if (item.stream >= 0) data["polyphon"] = {{"stream", thoughts_.tag(item.stream)}};
    data[key] = std::move(value);
    return typed(std::move(data));
  }

  Json item_json(const Item& item, const char* status = nullptr) const {
    const bool open = status != nullptr;
    if (!status) status = cut_ && item.type == "message" ? "incomplete" : "completed";
    Json json = {{"id", item.id}, {"type", item.type}, {"status", status}};
    if (item.type == "function_call") {
      json["call_id"] = item.call_id;
      json["name"] = item.name;
      json["arguments"] = item.text;
      return json;
    }
    json["content"] = open ? Json::array() : Json::array({part_json(item.growth, item.text)});
    if (item.type == "message") json["role"] = "assistant";
    if (item.type == "reasoning") json["summary"] = Json::array();
    if (item.stream >= 0) json["polyphon"] = {{"stream", thoughts_.tag(item.stream)}};
    return json;
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

  const std::string id_, model_;
  const std::time_t created_;
  const bool thinks_, include_trace_, shows_thoughts_;
  MessageText text_;
  ThoughtLog thoughts_;
  std::vector<Item> items_;              // by output_index
  std::map<int, size_t> thought_items_;  // stream to output_index
  std::vector<size_t> call_items_;       // function call to output_index
  bool cut_ = false;
  int sequence_ = 0;
  Finished finished_;
};

}  // namespace

std::unique_ptr<Reply> make_responses_reply(const GenerationRequest& request) {
  return std::make_unique<ResponsesReply>(request);
}

}  // namespace polyphon
