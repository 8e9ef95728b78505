#include "sessions/completion_session.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "core/seeds.h"
#include "sessions/capacity.h"
#include "sessions/choice.h"

namespace polyphon {
namespace {

class CompletionSession final : public Session {
 public:
  CompletionSession(const LanguageModel& model, CompletionRequest request,
                    std::shared_ptr<EventChannel> events)
      : model_(model),
        request_(std::move(request)),
        events_(std::move(events)),
        submitted_(std::chrono::steady_clock::now()) {
    POLYPHON_CHECK(!request_.prompt.empty() && request_.choices >= 1);
    for (int i = 0; i < request_.choices; ++i)
      grammars_.push_back(request_.grammar.empty() ? nullptr
                                                   : model_.make_grammar(request_.grammar));
    // Several choices share the prompt except its last token, which each choice decodes for itself.
    shared_ = request_.prompt;
    if (request_.choices > 1) shared_.pop_back();
  }

  SessionNeeds needs() const override {
    return completion_needs(static_cast<int>(request_.prompt.size()), request_.choices,
                            request_.max_tokens);
  }
  const Tokens& prompt() const override { return shared_; }

  void start(SessionViews& views) override {
    views_ = &views;
    admitted_ = views.now();
    if (!shared_.empty()) prompt_sequence_ = views.open_prompt(shared_);
    if (request_.choices == 1) {
      begin_choice(prompt_sequence_, 0);
    } else if (shared_.empty()) {
      fork();
    }
  }

  void on_token(SequenceNumber sequence, const SampledToken& token) override {
    if (generated_++ == 0) first_token_ = views_->now();
    const auto found = std::find(sequences_.begin(), sequences_.end(), sequence);
    Choice& choice = choices_[static_cast<size_t>(found - sequences_.begin())];
    if (!choice.add(token)) return;
    views_->stop(sequence, false);
    if (++ended_ == request_.choices) finish();
  }

  void after_step() override {
    if (choices_.empty() && views_->idle(prompt_sequence_)) fork();
  }

  bool finished() const override { return finished_; }

  void fail(const Error& error) override { events_->fail(error); }

 private:
  void begin_choice(SequenceNumber sequence, int index) {
    SamplingParams sampling = request_.sampling;
    if (index > 0) sampling.seed = seeds::kChoices.of(sampling.seed, static_cast<uint64_t>(index));
    auto sampler = std::make_unique<Sampler>(sampling, std::move(grammars_[index]), false);
    sampler->observe(request_.prompt);
    sequences_.push_back(sequence);
    choices_.emplace_back(index, model_.vocabulary(),
                          ChoiceLimits{request_.stop, request_.max_tokens, request_.ignore_eos,
                                       sampling.logprobs >= 0},
                          events_);
    views_->generate(sequence, std::move(sampler), SpanOwner::of_answer(index));
  }

  void fork() {
    for (int i = 0; i < request_.choices; ++i) {
      const SequenceNumber sequence = views_->open();
      if (!shared_.empty())
        views_->join(prompt_sequence_, sequence, 0, views_->next_position(prompt_sequence_));
      views_->feed(sequence, {request_.prompt.back()}, SpanOwner::of(SpanKind::kPrompt));
      begin_choice(sequence, i);
    }
  }

  void finish() {
    Finished result;
    const TimePoint now = views_->now();
    result.usage.prompt_tokens = static_cast<int>(request_.prompt.size());
    result.usage.cached_tokens = views_->cached_prompt_tokens();
    for (const Choice& choice : choices_) result.usage.completion_tokens += choice.tokens();
    result.timings.prompt_tokens = result.usage.prompt_tokens;
    result.timings.queue_ms = milliseconds_between(submitted_, admitted_);
    result.timings.prompt_ms = milliseconds_between(admitted_, first_token_);
    result.timings.time_to_first_answer_token_ms = milliseconds_between(submitted_, first_token_);
    result.timings.answer_ms = milliseconds_between(first_token_, now);
    result.timings.total_ms = milliseconds_between(submitted_, now);
    result.timings.answer_tokens = result.usage.completion_tokens;
    finished_ = true;
    events_->finish(std::move(result));
  }

  const LanguageModel& model_;
  CompletionRequest request_;
  std::shared_ptr<EventChannel> events_;
  TimePoint submitted_, admitted_, first_token_;
  SessionViews* views_ = nullptr;
  Tokens shared_;
  SequenceNumber prompt_sequence_ = -1;
  std::vector<std::unique_ptr<Grammar>> grammars_;  // [choices], moved out when the choice begins
  std::vector<SequenceNumber> sequences_;           // [choices]
  std::vector<Choice> choices_;
  int generated_ = 0;
  int ended_ = 0;
  bool finished_ = false;
};

class EmbeddingSession final : public Session {
 public:
  EmbeddingSession(Tokens prompt, std::shared_ptr<EventChannel> events)
      : prompt_(std::move(prompt)), events_(std::move(events)) {
    POLYPHON_CHECK(!prompt_.empty());
    leading_.assign(prompt_.begin(), prompt_.end() - 1);
  }

  SessionNeeds needs() const override { return {static_cast<int>(prompt_.size()) + 2, 1}; }
  bool wants_hidden() const override { return true; }
  const Tokens& prompt() const override { return leading_; }

  void start(SessionViews& views) override {
    views_ = &views;
    sequence_ = leading_.empty() ? views.open() : views.open_prompt(leading_);
    if (leading_.empty()) feed_last();
  }

  void after_step() override {
    if (!fed_ && views_->idle(sequence_)) feed_last();
  }

  void on_token(SequenceNumber sequence, const SampledToken&) override {
    Finished result;
    const auto hidden = views_->hidden(sequence);
    result.embedding.assign(hidden.begin(), hidden.end());
    double squares = 0;
    for (float value : result.embedding) squares += static_cast<double>(value) * value;
    for (float& value : result.embedding)
      value = static_cast<float>(value / std::sqrt(std::max(squares, 1e-30)));
    result.usage.prompt_tokens = static_cast<int>(prompt_.size());
    result.usage.cached_tokens = views_->cached_prompt_tokens();
    views_->stop(sequence, false);
    finished_ = true;
    events_->finish(std::move(result));
  }

  bool finished() const override { return finished_; }

  void fail(const Error& error) override { events_->fail(error); }

 private:
  // Decoding the last token as a row of its own computes its hidden state. The sampled token is not
  // used.
  void feed_last() {
    fed_ = true;
    views_->feed(sequence_, {prompt_.back()}, SpanOwner::of(SpanKind::kPrompt));
    views_->generate(sequence_, std::make_unique<Sampler>(SamplingParams{}, nullptr, false),
                     SpanOwner::of(SpanKind::kEmbedding));
  }

  Tokens prompt_;
  Tokens leading_;  // all but the last token
  std::shared_ptr<EventChannel> events_;
  SessionViews* views_ = nullptr;
  SequenceNumber sequence_ = -1;
  bool fed_ = false;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<Session> make_completion_session(const LanguageModel& model,
                                                 CompletionRequest request,
                                                 std::shared_ptr<EventChannel> events) {
  return std::make_unique<CompletionSession>(model, std::move(request), std::move(events));
}

std::unique_ptr<Session> make_embedding_session(const LanguageModel&, Tokens prompt,
                                                std::shared_ptr<EventChannel> events) {
  return std::make_unique<EmbeddingSession>(std::move(prompt), std::move(events));
}

}  // namespace polyphon
