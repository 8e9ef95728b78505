#include "reason/think_session.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <optional>

#include "base/check.h"
#include "reason/agreement.h"
#include "reason/answer_extraction.h"
#include "reason/choice.h"
#include "reason/collapse_watch.h"
#include "reason/plan.h"
#include "reason/stream.h"
#include "reason/synthesis.h"

namespace polyphon {
namespace {

constexpr int kMaxPlanTokens = 24;

// Only streams that have siblings and may be ended are watched; others need no hidden states.
bool may_collapse(const ThinkRequest& request, const ReasonOptions& options) {
  if (!options.collapse.enabled || request.ignore_eos) return false;
  const auto& phases = request.topology.phases;
  return request.topology.is_auto() ||
         std::any_of(phases.begin(), phases.end(), [](const Phase& p) { return p.streams > 1; });
}

class ThinkSession final : public Session {
 public:
  ThinkSession(const LanguageModel& model, ThinkRequest request, const ReasonOptions& options,
               const TraceHeader& header, std::shared_ptr<EventChannel> events)
      : model_(model),
        vocabulary_(model.vocabulary()),
        request_(std::move(request)),
        options_(options),
        header_(header),
        events_(std::move(events)),
        needs_(plan_needs(request_, options_, vocabulary_)),
        watches_collapse_(may_collapse(request_, options_)),
        submitted_(std::chrono::steady_clock::now()),
        topology_(request_.topology) {
    POLYPHON_CHECK(!request_.prompt.empty() && !options_.strategies.empty());
    if (!request_.answer_grammar.empty())
      answer_grammar_ = model_.make_grammar(request_.answer_grammar);
    if (request_.topology.is_auto())
      plan_choices_ = auto_topologies(request_.auto_budget_tokens, options_.caps);
  }

  SessionNeeds needs() const override { return {needs_.cells, needs_.sequences}; }
  bool wants_hidden() const override { return watches_collapse_; }
  const Tokens& prompt() const override { return request_.prompt; }
  bool finished() const override { return stage_ == Stage::kDone; }

  void start(SessionViews& views) override;
  void on_token(SequenceNumber sequence, const SampledToken& token) override;
  void after_step() override;
  void fail(const Error& error) override;

 private:
  enum class Stage { kPrompt, kPlan, kStreams, kBridge, kAnswer, kDone };

  void start_plan();
  void on_plan_token(const SampledToken& token);
  void start_phase();
  void start_stream(int index, const Phase& phase);
  void on_stream_token(Stream& stream, const SampledToken& token);
  void end_stream(Stream& stream, const std::string& reason, bool keep_last);
  void watch_collapse();
  void reseed(Stream& stream);
  bool streams_done() const;
  void end_phase();
  SequenceNumber merged_view(MergeMode mode);
  void start_answer();
  void answer_by_vote(int winner);
  void finish(const std::string& text, int answer_tokens);

  std::vector<Attempt> attempts() const;
  void decide(const std::string& kind, Json detail);

  const LanguageModel& model_;
  const Vocabulary& vocabulary_;
  const ThinkRequest request_;
  const ReasonOptions options_;
  const TraceHeader header_;
  const std::shared_ptr<EventChannel> events_;
  const PlanNeeds needs_;
  const bool watches_collapse_;
  const TimePoint submitted_;
  std::unique_ptr<Grammar> answer_grammar_;

  SessionViews* views_ = nullptr;
  Stage stage_ = Stage::kPrompt;
  Topology topology_;                   // as planned, for auto
  std::vector<Topology> plan_choices_;  // auto only
  SequenceNumber plan_sequence_ = -1;
  std::string plan_text_;
  int plan_tokens_ = 0;

  size_t phase_ = 0;
  SequenceNumber base_sequence_ = -1;   // the view that the phase's streams fork: prompt or merge
  Position base_end_ = 0;               // one past its last position
  std::vector<Stream> streams_;         // of the phase
  std::vector<Json> finished_streams_;  // of all phases, for the answer
  std::optional<CollapseWatch> watch_;  // of the phase
  std::optional<Agreement> agreement_;  // of the phase
  int next_stream_ = 0;

  SequenceNumber answer_sequence_ = -1;
  std::optional<Choice> answer_;
  int thought_tokens_ = 0;
  int merge_prefill_tokens_ = 0;
  std::optional<TimePoint> admitted_, first_token_, streams_end_, first_answer_token_;
};

void ThinkSession::start(SessionViews& views) {
  views_ = &views;
  admitted_ = views.now();
  Trace& trace = views.trace();
  trace.id = header_.id;
  trace.version = header_.version;
  trace.model_digest = header_.model_digest;
  trace.config_hash = header_.config_hash;
  trace.seed = request_.sampling.seed;
  trace.created = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  trace.request = to_json(request_);
  base_sequence_ = views.open_prompt(request_.prompt);
}

void ThinkSession::decide(const std::string& kind, Json detail) {
  views_->trace().decisions.push_back({views_->step(), kind, std::move(detail)});
}

void ThinkSession::on_token(SequenceNumber sequence, const SampledToken& token) {
  if (sequence == plan_sequence_) return on_plan_token(token);
  if (!first_token_) first_token_ = views_->now();
  if (sequence == answer_sequence_) {
    if (!first_answer_token_) first_answer_token_ = views_->now();
    if (!answer_->add(token)) return;
    views_->stop(sequence, false);
    return finish(answer_->text(), answer_->tokens());
  }
  const auto stream = std::find_if(streams_.begin(), streams_.end(),
                                   [&](const Stream& s) { return s.sequence == sequence; });
  POLYPHON_CHECK(stream != streams_.end());
  on_stream_token(*stream, token);
}

void ThinkSession::after_step() {
  switch (stage_) {
    case Stage::kPrompt:
      if (views_->idle(base_sequence_)) request_.topology.is_auto() ? start_plan() : start_phase();
      break;
    case Stage::kBridge:
      if (views_->idle(base_sequence_)) start_phase();
      break;
    case Stage::kStreams:
      watch_collapse();
      if (streams_done()) end_phase();
      break;
    case Stage::kPlan:
    case Stage::kAnswer:
    case Stage::kDone:
      break;
  }
}

// The model states its own topology, greedily, under a grammar of those that fit.
void ThinkSession::start_plan() {
  stage_ = Stage::kPlan;
  plan_sequence_ = views_->open();
  views_->join(base_sequence_, plan_sequence_, 0, views_->next_position(base_sequence_));
  views_->feed(plan_sequence_, request_.plan_instruction, "plan");
  SamplingParams greedy;
  greedy.temperature = 0;
  views_->generate(
      plan_sequence_,
      std::make_unique<Sampler>(
          greedy, model_.make_grammar({topology_grammar(plan_choices_), false, {}, ""}), true),
      "plan");
}

void ThinkSession::on_plan_token(const SampledToken& token) {
  ++plan_tokens_;
  const bool end = token.token == kNoToken || vocabulary_.is_end_of_generation(token.token);
  if (!end) plan_text_ += vocabulary_.piece(token.token, false);
  if (!end && plan_tokens_ < kMaxPlanTokens) return;
  views_->close(plan_sequence_);
  plan_sequence_ = -1;
  const auto planned =
      std::find_if(plan_choices_.begin(), plan_choices_.end(),
                   [&](const Topology& topology) { return topology.to_string() == plan_text_; });
  topology_ = planned != plan_choices_.end() ? *planned : plan_choices_.back();
  decide("plan", {{"said", plan_text_}, {"topology", topology_.to_string()}});
  start_phase();
}

void ThinkSession::start_phase() {
  stage_ = Stage::kStreams;
  const Phase& phase = topology_.phases[phase_];
  base_end_ = views_->next_position(base_sequence_);
  streams_.clear();
  watch_.reset();
  if (watches_collapse_ && phase.streams > 1) watch_.emplace(options_.collapse, phase.streams);
  agreement_.emplace(options_.agreement, phase.streams);
  for (int i = 0; i < phase.streams; ++i) start_stream(i, phase);
}

void ThinkSession::start_stream(int index, const Phase& phase) {
  Stream& stream = streams_.emplace_back();
  stream.id = next_stream_++;
  stream.phase = static_cast<int>(phase_);
  stream.strategy =
      options_.strategies[static_cast<size_t>(stream.id) % options_.strategies.size()];
  stream.budget_tokens = phase.tokens;
  stream.sequence = views_->open();

  SamplingParams sampling = request_.sampling;
  sampling.seed = derive_seed(request_.sampling.seed, static_cast<uint64_t>(stream.id));
  if (phase.streams > 1) {
    const double rung = static_cast<double>(index) / (phase.streams - 1) - 0.5;
    sampling.temperature = std::max(
        0.0f, sampling.temperature + static_cast<float>(rung * options_.temperature_ladder));
  }
  views_->join(base_sequence_, stream.sequence, 0, base_end_);
  views_->feed(stream.sequence, vocabulary_.tokenize(stream.strategy.preamble, false, false),
               fmt::format("preamble {}", stream.id), stream.strategy.name);
  views_->generate(stream.sequence, std::make_unique<Sampler>(sampling, nullptr, true),
                   fmt::format("stream {}", stream.id), stream.strategy.name);
  events_->push(StreamStarted{stream.id, stream.phase, stream.strategy.name});
}

void ThinkSession::on_stream_token(Stream& stream, const SampledToken& token) {
  if (!request_.ignore_eos && vocabulary_.is_end_of_generation(token.token))
    return end_stream(stream, "stop", false);
  stream.tokens.push_back(token.token);
  stream.logprob_sum += token.logprob;
  ++thought_tokens_;
  std::string text = stream.text.push(vocabulary_.piece(token.token, false));
  if (!text.empty()) events_->push(ThoughtDelta{stream.id, std::move(text)});
  const int index = static_cast<int>(&stream - streams_.data());
  if (watch_) watch_->observe(index, token.token, views_->hidden(stream.sequence));
  if (static_cast<int>(stream.tokens.size()) >= stream.budget_tokens)
    end_stream(stream, "length", true);
}

void ThinkSession::end_stream(Stream& stream, const std::string& reason, bool keep_last) {
  views_->stop(stream.sequence, keep_last);
  stream.finish_reason = reason;
  std::string rest = stream.text.flush();
  if (!rest.empty()) events_->push(ThoughtDelta{stream.id, std::move(rest)});
  stream.answer = extract_answer(stream.text.text());
  if (watch_) watch_->forget(static_cast<int>(&stream - streams_.data()));
  events_->push(
      StreamEnded{stream.id, reason, stream.answer, static_cast<int>(stream.tokens.size())});

  const bool counts = reason == "stop" || reason == "length";
  if (!counts || !options_.agreement.enabled || request_.ignore_eos) return;
  const auto agreed = agreement_->add(normalise_answer(stream.answer));
  if (!agreed) return;
  decide("agreement", {{"answer", *agreed}});
  for (Stream& other : streams_)
    if (!other.ended()) end_stream(other, "agreement", true);
}

void ThinkSession::watch_collapse() {
  if (!watch_) return;
  for (const CollapseWatch::Verdict& verdict : watch_->look()) {
    Stream& follower = streams_[static_cast<size_t>(verdict.follower)];
    if (follower.ended()) continue;
    decide("collapse", {{"stream", follower.id},
                        {"follows", streams_[static_cast<size_t>(verdict.leader)].id},
                        {"ngram_overlap", verdict.overlap},
                        {"hidden_cosine", verdict.cosine},
                        {"action", verdict.end ? "end" : "reseed"}});
    verdict.end ? end_stream(follower, "collapsed", true) : reseed(follower);
  }
}

// A follower goes on under another strategy, with other random numbers and a little hotter.
void ThinkSession::reseed(Stream& stream) {
  ++stream.reseeds;
  const size_t next = static_cast<size_t>(stream.id) + streams_.size() * stream.reseeds + 1;
  stream.strategy = options_.strategies[next % options_.strategies.size()];
  Sampler* const sampler = views_->sampler(stream.sequence);
  sampler->reseed(derive_seed(sampler->params().seed, 1000 + stream.reseeds),
                  sampler->params().temperature + 0.2f);
  views_->feed(stream.sequence, vocabulary_.tokenize(reseed_cue(stream.strategy), false, false),
               fmt::format("cue {}", stream.id), stream.strategy.name);
  events_->push(StreamStarted{stream.id, stream.phase, stream.strategy.name});
}

bool ThinkSession::streams_done() const {
  return std::all_of(streams_.begin(), streams_.end(), [&](const Stream& stream) {
    return stream.ended() && views_->idle(stream.sequence);
  });
}

std::vector<Attempt> ThinkSession::attempts() const {
  std::vector<Attempt> result;
  for (const Stream& stream : streams_) result.push_back(stream.attempt());
  return result;
}

// One view of what the phase started from and, for kv, of all that its streams decoded. The
// streams' own views are dropped.
SequenceNumber ThinkSession::merged_view(MergeMode mode) {
  const SequenceNumber merged = views_->open();
  views_->join(base_sequence_, merged, 0, base_end_);
  if (mode == MergeMode::kKv)
    for (const Stream& stream : streams_)
      views_->join(stream.sequence, merged, base_end_, views_->next_position(stream.sequence));
  for (const Stream& stream : streams_) views_->close(stream.sequence);
  views_->close(base_sequence_);
  return merged;
}

void ThinkSession::end_phase() {
  for (const Stream& stream : streams_) finished_streams_.push_back(stream.to_json());
  if (++phase_ == topology_.phases.size()) return start_answer();
  const MergeMode mode = request_.merge == MergeMode::kVote ? MergeMode::kKv : request_.merge;
  Tokens bridge = scaffold(mode, attempts(), vocabulary_);
  const Tokens text = vocabulary_.tokenize(bridge_text(), false, false);
  bridge.insert(bridge.end(), text.begin(), text.end());
  base_sequence_ = merged_view(mode);
  views_->feed(base_sequence_, bridge, "bridge");
  merge_prefill_tokens_ += static_cast<int>(bridge.size());
  stage_ = Stage::kBridge;
}

void ThinkSession::start_answer() {
  streams_end_ = views_->now();
  stage_ = Stage::kAnswer;
  MergeMode mode = request_.merge;
  if (mode == MergeMode::kVote) {
    std::vector<VoteEntry> votes;
    for (const Stream& stream : streams_)
      votes.push_back({normalise_answer(stream.answer), stream.mean_logprob()});
    const int winner = vote_winner(votes);
    if (winner >= 0) return answer_by_vote(winner);
    mode = MergeMode::kKv;
    decide("merge", {{"wanted", "vote"}, {"done", "kv"}, {"why", "no stream stated an answer"}});
  }
  Tokens instruction = scaffold(mode, attempts(), vocabulary_);
  instruction.insert(instruction.end(), request_.merge_instruction.begin(),
                     request_.merge_instruction.end());
  merge_prefill_tokens_ += static_cast<int>(instruction.size());
  answer_sequence_ = merged_view(mode);
  views_->feed(answer_sequence_, instruction, "merge");
  SamplingParams sampling = request_.answer_sampling;
  sampling.seed = derive_seed(request_.sampling.seed, 1u << 20);
  answer_.emplace(0, vocabulary_,
                  ChoiceLimits{request_.stop, request_.max_answer_tokens, request_.ignore_eos,
                               sampling.logprobs >= 0},
                  events_);
  views_->generate(answer_sequence_,
                   std::make_unique<Sampler>(sampling, std::move(answer_grammar_), true), "answer");
}

void ThinkSession::answer_by_vote(int winner) {
  const std::string text = conclusion_of(streams_[static_cast<size_t>(winner)].text.text());
  decide("vote", {{"stream", streams_[static_cast<size_t>(winner)].id},
                  {"answer", streams_[static_cast<size_t>(winner)].answer}});
  first_answer_token_ = views_->now();
  events_->push(AnswerDelta{0, text, {}});
  events_->push(ChoiceEnded{0, "stop"});
  finish(text, 0);
}

void ThinkSession::finish(const std::string& text, int answer_tokens) {
  stage_ = Stage::kDone;
  const TimePoint now = views_->now();
  Finished result;
  result.usage = {static_cast<int>(request_.prompt.size()), views_->cached_prompt_tokens(),
                  thought_tokens_ + answer_tokens, thought_tokens_};
  Timings& timings = result.timings;
  timings.queue_ms = milliseconds_between(submitted_, *admitted_);
  timings.prompt_ms = milliseconds_between(*admitted_, *first_token_);
  timings.streams_ms = milliseconds_between(*first_token_, *streams_end_);
  timings.merge_ms = milliseconds_between(*streams_end_, *first_answer_token_);
  timings.time_to_first_answer_token_ms = milliseconds_between(submitted_, *first_answer_token_);
  timings.answer_ms = milliseconds_between(*first_answer_token_, now);
  timings.total_ms = milliseconds_between(submitted_, now);
  timings.prompt_tokens = result.usage.prompt_tokens;
  timings.merge_prefill_tokens = merge_prefill_tokens_;
  timings.answer_tokens = answer_tokens;

  Trace& trace = views_->trace();
  Json decisions = Json::array();
  for (const TraceDecision& decision : trace.decisions)
    decisions.push_back(
        {{"step", decision.step}, {"kind", decision.kind}, {"detail", decision.detail}});
  result.polyphon = {{"trace_id", header_.id},
                     {"version", header_.version},
                     {"topology", topology_.to_string()},
                     {"merge", to_string(request_.merge)},
                     {"streams", finished_streams_},
                     {"promotions", Json::array()},
                     {"workspace", Json::array()},
                     {"search", nullptr},
                     {"decisions", std::move(decisions)},
                     {"timings", to_json(timings)}};
  trace.result = result.polyphon;
  trace.result["answer"] = text;
  result.trace = std::make_shared<Trace>(std::move(trace));
  events_->push(std::move(result));
  events_->close();
}

void ThinkSession::fail(const Error& error) {
  events_->push(Failed{error});
  events_->close();
}

}  // namespace

std::unique_ptr<Session> make_think_session(const LanguageModel& model, ThinkRequest request,
                                            const ReasonOptions& options, const TraceHeader& header,
                                            std::shared_ptr<EventChannel> events) {
  return std::make_unique<ThinkSession>(model, std::move(request), options, header,
                                        std::move(events));
}

}  // namespace polyphon
