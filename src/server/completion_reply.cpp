// /v1/completions: text_completion, whole or in chunks.
#include <ctime>

#include "server/api_error.h"
#include "server/reply.h"

namespace polyphon {
namespace {

Json no_logprobs() {
  return {{"tokens", Json::array()},
          {"token_logprobs", Json::array()},
          {"top_logprobs", Json::array()},
          {"text_offset", Json::array()}};
}

class CompletionReply final : public Reply {
 public:
  CompletionReply(const GenerationRequest& request, const std::string& version)
      : id_(fresh_id("cmpl")),
        model_(request.model),
        version_(version),
        created_(std::time(nullptr)),
        include_usage_(request.include_usage),
        wants_logprobs_(request.answer_sampling().logprobs >= 0),
        choices_(request.choices()) {
    if (request.echo.empty()) return;
    const size_t each = choices_.size() / request.echo.size();
    for (size_t i = 0; i < choices_.size(); ++i)
      choices_[i].text = choices_[i].pending_echo = request.echo[i / each];
  }

  std::string on_event(const SessionEvent& event) override {
    if (const auto* delta = std::get_if<AnswerDelta>(&event)) return on_delta(*delta);
    if (const auto* end = std::get_if<ChoiceEnded>(&event)) {
      Choice& choice = at(end->choice);
      choice.finish_reason = name_of(end->finish_reason);
      return sse(chunk(end->choice, std::exchange(choice.pending_echo, ""), choice.finish_reason));
    }
    if (const auto* finished = std::get_if<Finished>(&event)) finished_ = *finished;
    return "";
  }

  std::string stream_end() override {
    std::string text;
    if (include_usage_) {
      Json usage = chunk(0, "", nullptr);
      usage["choices"] = Json::array();
      usage["usage"] = usage_json(finished_.usage);
      text += sse(usage);
    }
    return text + "data: [DONE]\n\n";
  }

  Json body() override {
    Json choices = Json::array();
    for (size_t i = 0; i < choices_.size(); ++i)
      choices.push_back({{"index", i},
                         {"text", choices_[i].text},
                         {"logprobs", wants_logprobs_ ? choices_[i].logprobs : Json()},
                         {"finish_reason", choices_[i].finish_reason}});
    return {{"id", id_},
            {"object", "text_completion"},
            {"created", created_},
            {"model", model_},
            {"system_fingerprint", version_},
            {"choices", std::move(choices)},
            {"usage", usage_json(finished_.usage)}};
  }

 private:
  struct Choice {
    std::string text;
    std::string pending_echo;  // sent before the first chunk
    std::string finish_reason;
    Json logprobs = no_logprobs();
    size_t offset = 0;  // offset of the next token's text
  };

  Choice& at(int choice) { return choices_[static_cast<size_t>(choice)]; }

  std::string on_delta(const AnswerDelta& delta) {
    Choice& choice = at(delta.choice);
    Json logprobs = no_logprobs();
    for (const TextLogprob& logprob : delta.logprobs) {
      Json top = Json::object();
      for (const TextLogprob::Alternative& other : logprob.top) top[other.text] = other.logprob;
      logprobs["tokens"].push_back(logprob.text);
      logprobs["token_logprobs"].push_back(logprob.logprob);
      logprobs["top_logprobs"].push_back(std::move(top));
      logprobs["text_offset"].push_back(choice.offset);
      choice.offset += logprob.text.size();
    }
    choice.text += delta.text;
    for (auto& [key, values] : logprobs.items())
      choice.logprobs[key].insert(choice.logprobs[key].end(), values.begin(), values.end());
    Json data = chunk(delta.choice, std::exchange(choice.pending_echo, "") + delta.text, nullptr);
    if (wants_logprobs_) data["choices"][0]["logprobs"] = std::move(logprobs);
    return sse(data);
  }

  Json chunk(int choice, const std::string& text, Json finish_reason) const {
    return {{"id", id_},
            {"object", "text_completion"},
            {"created", created_},
            {"model", model_},
            {"system_fingerprint", version_},
            {"choices",
             {{{"index", choice},
               {"text", text},
               {"logprobs", nullptr},
               {"finish_reason", std::move(finish_reason)}}}}};
  }

  const std::string id_, model_, version_;
  const std::time_t created_;
  const bool include_usage_, wants_logprobs_;
  std::vector<Choice> choices_;
  Finished finished_;
};

}  // namespace

std::unique_ptr<Reply> make_completion_reply(const GenerationRequest& request,
                                             const std::string& version) {
  return std::make_unique<CompletionReply>(request, version);
}

}  // namespace polyphon
