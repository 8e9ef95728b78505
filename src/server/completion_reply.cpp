// /v1/completions: text_completion, whole or in chunks.
#include <ctime>

#include "server/api_error.h"
#include "server/reply.h"

namespace polyphon {
namespace {

class CompletionReply final : public Reply {
 public:
  CompletionReply(const GenerationRequest& request, const std::string& version)
      : id_(fresh_id("cmpl")),
        model_(request.model),
        version_(version),
        created_(std::time(nullptr)),
        include_usage_(request.include_usage),
        wants_logprobs_(request.completions[0].sampling.logprobs >= 0),
        choices_(static_cast<size_t>(request.completions[0].choices)) {
    for (Choice& choice : choices_) choice.text = choice.pending_echo = request.echo_text;
  }

  std::string stream(const SessionEvent& event) override {
    if (const auto* delta = std::get_if<AnswerDelta>(&event)) {
      Choice& choice = choices_[static_cast<size_t>(delta->choice)];
      choice.text += delta->text;
      for (const TextLogprob& logprob : delta->logprobs) add(choice, logprob);
      const std::string shown = std::exchange(choice.pending_echo, "") + delta->text;
      return sse(chunk(delta->choice, shown, nullptr));
    }
    if (const auto* end = std::get_if<ChoiceEnded>(&event)) {
      choices_[static_cast<size_t>(end->choice)].finish_reason = end->finish_reason;
      return sse(chunk(end->choice, "", end->finish_reason));
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
    std::string pending_echo;  // goes before the first chunk
    std::string finish_reason;
    Json logprobs = {{"tokens", Json::array()},
                     {"token_logprobs", Json::array()},
                     {"top_logprobs", Json::array()}};
  };

  static void add(Choice& choice, const TextLogprob& logprob) {
    Json top = Json::object();
    for (const TextLogprob::Alternative& other : logprob.top) top[other.text] = other.logprob;
    choice.logprobs["tokens"].push_back(logprob.text);
    choice.logprobs["token_logprobs"].push_back(logprob.logprob);
    choice.logprobs["top_logprobs"].push_back(std::move(top));
  }

  Json chunk(int choice, const std::string& text, Json finish_reason) const {
    return {{"id", id_},
            {"object", "text_completion"},
            {"created", created_},
            {"model", model_},
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
