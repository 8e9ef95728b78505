#include "sessions/think_session.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <optional>

#include "base/check.h"
#include "core/seeds.h"
#include "memory/session_memory.h"
#include "search/search_bank.h"
#include "sessions/choice.h"
#include "sessions/plan.h"
#include "streams/stream_phase.h"
#include "streams/synthesis.h"
#include "streams/think_context.h"
#include "text/answer_extraction.h"
#include "workspace/global_workspace.h"

namespace polyphon {
namespace {

constexpr int kMaxPlanTokens = 24;

// Whether streams are watched for collapse: only streams that have siblings and may be ended.
// Watching needs hidden states.
bool may_collapse(const ThinkRequest& request, const ReasonOptions& options) {
  if (!options.collapse.enabled || request.ignore_eos) return false;
  const auto& phases = request.topology.phases;
  return request.topology.is_auto() ||
         std::any_of(phases.begin(), phases.end(), [](const Phase& p) { return p.streams > 1; });
}

class ThinkSession final : public Session {
 public:
  ThinkSession(const LanguageModel& model, const ThinkRequest& request,
               const ReasonOptions& options, std::shared_ptr<const Heads> heads,
               const TraceHeader& header, std::shared_ptr<EventChannel> events)
      : context_{model, request, with_diversity(options, request.diversity), std::move(events),
                 std::move(heads)},
        request_(context_.request),
        header_(header),
        needs_(plan_needs(request_, context_.options, model.vocabulary())),
        watches_collapse_(may_collapse(request_, context_.options)),
        submitted_(std::chrono::steady_clock::now()),
        topology_(request_.topology) {
    POLYPHON_CHECK(!request_.prompt.empty() && !options.strategies.empty());
    if (!request_.answer_grammar.empty())
      answer_grammar_ = model.make_grammar(request_.answer_grammar);
    if (request_.workspace.registers > 0) workspace_.emplace(context_);
    if (request_.search.on()) search_.emplace(context_);
    if (request_.topology.is_auto())
      plan_choices_ = auto_topologies(request_.auto_budget_tokens, options.caps);
  }

  SessionNeeds needs() const override { return {needs_.cells, needs_.sequences}; }
  // A search needs hidden states for the value head, and so that a branch's first token is sampled
  // in the step in which it is decoded.
  bool wants_hidden() const override {
    return watches_collapse_ || workspace_ || search_ || memory_ || corrects_plan();
  }
  const Tokens& prompt() const override { return request_.prompt; }
  bool finished() const override { return stage_ == Stage::kDone; }

  void start(SessionViews& views) override;
  void on_token(SequenceNumber sequence, const SampledToken& token) override;
  void after_step() override;
  void fail(const Error& error) override;

 private:
  enum class Stage { kPrompt, kPlan, kStreams, kBridge, kAnswer, kDone };

  bool corrects_plan() const {
    return request_.topology.is_auto() && context_.heads->topology.is_trained();
  }
  void start_plan();
  void ask_prompt_state();
  void ask_model();
  void on_plan_token(const SampledToken& token);
  void choose_topology(const Topology& stated);
  void start_phase();
  void remember();
  void end_phase();
  SequenceNumber merged_view(MergeMode mode);
  void start_answer();
  void answer_by_vote(int winner);
  void finish(const std::string& text, int answer_tokens);

  ThinkContext context_;
  const ThinkRequest& request_;
  const TraceHeader header_;
  const PlanNeeds needs_;
  const bool watches_collapse_;
  const TimePoint submitted_;
  std::unique_ptr<Grammar> answer_grammar_;

  SessionViews* views_ = nullptr;
  Stage stage_ = Stage::kPrompt;
  Topology topology_;                   // for auto: as planned
  std::vector<Topology> plan_choices_;  // only for auto
  SequenceNumber prompt_state_sequence_ = -1;
  std::vector<float> prompt_state_;  // input of the topology head
  SequenceNumber plan_sequence_ = -1;
  std::string plan_text_;
  int plan_tokens_ = 0;
  std::optional<PlanDecision> plan_;  // set only with a trained topology head

  // The view that the phase's streams fork: the prompt's or a merged one.
  SequenceNumber base_sequence_ = -1;
  size_t phase_index_ = 0;
  std::optional<StreamPhase> phase_;
  std::optional<GlobalWorkspace> workspace_;    // set if there are registers
  std::optional<SearchBank> search_;            // set if search is on
  std::optional<SessionMemory> memory_;         // set if memory is on
  std::vector<StreamResult> finished_streams_;  // from all phases

  SequenceNumber answer_sequence_ = -1;
  std::optional<Choice> answer_;
  int thought_tokens_ = 0;
  int merge_prefill_tokens_ = 0;
  std::optional<TimePoint> admitted_, first_token_, streams_end_, first_answer_token_;
};

void ThinkSession::start(SessionViews& views) {
  views_ = context_.views = &views;
  admitted_ = views.now();
  Trace& trace = views.trace();
  trace.id = header_.id;
  trace.version = header_.version;
  trace.model_digest = header_.model_digest;
  trace.config_hash = header_.config_hash;
  trace.seed = request_.sampling.seed;
  trace.created = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  trace.request = request_;
  for (LoadedNode& node : trace.request.memory.loaded) node.cells.reset();
  if (request_.memory.enabled) memory_.emplace(context_);
  base_sequence_ = views.open_prompt(request_.prompt);
}

void ThinkSession::on_token(SequenceNumber sequence, const SampledToken& token) {
  if (sequence == plan_sequence_) return on_plan_token(token);
  if (sequence == prompt_state_sequence_) {
    const std::span<const float> state = views_->hidden(sequence);
    prompt_state_.assign(state.begin(), state.end());
    views_->close(sequence);
    prompt_state_sequence_ = -1;
    return ask_model();
  }
  if (!first_token_) first_token_ = views_->now();
  if (sequence == answer_sequence_) {
    if (!first_answer_token_) first_answer_token_ = views_->now();
    if (!answer_->add(token)) return;
    views_->stop(sequence, false);
    return finish(answer_->text(), answer_->tokens());
  }
  if (Stream* const stream = phase_->find(sequence)) {
    phase_->on_token(*stream, token);
    if (search_) search_->on_stream_token(*stream, token);
    return;
  }
  if (search_ && search_->owns(sequence)) return search_->on_token(sequence, token);
  POLYPHON_CHECK(workspace_ && workspace_->owns(sequence));
  workspace_->on_token(sequence, token);
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
      phase_->after_step();
      if (search_) search_->after_step();
      if (workspace_) workspace_->after_step();
      if (memory_) remember();
      if (phase_->done()) end_phase();
      break;
    case Stage::kPlan:
    case Stage::kAnswer:
    case Stage::kDone:
      break;
  }
}

void ThinkSession::start_plan() {
  stage_ = Stage::kPlan;
  corrects_plan() && request_.prompt.size() > 1 ? ask_prompt_state() : ask_model();
}

// Prefill computes no hidden states. So the prompt's last token is decoded again, in a view of the
// tokens before it, and the token sampled from it is discarded.
void ThinkSession::ask_prompt_state() {
  const Position last = views_->next_position(base_sequence_) - 1;
  prompt_state_sequence_ = views_->open();
  views_->join(base_sequence_, prompt_state_sequence_, 0, last);
  views_->feed(prompt_state_sequence_, {request_.prompt.back()},
               SpanOwner::of(SpanKind::kPlanState));
  SamplingParams greedy;
  greedy.temperature = 0;
  views_->generate(prompt_state_sequence_, std::make_unique<Sampler>(greedy, nullptr, true),
                   SpanOwner::of(SpanKind::kPlanState));
}

// The model states a topology, sampled greedily under a grammar of the topologies that fit.
void ThinkSession::ask_model() {
  plan_sequence_ = views_->open();
  views_->join(base_sequence_, plan_sequence_, 0, views_->next_position(base_sequence_));
  views_->feed(plan_sequence_, request_.plan_instruction, SpanOwner::of(SpanKind::kPlan));
  SamplingParams greedy;
  greedy.temperature = 0;
  views_->generate(
      plan_sequence_,
      std::make_unique<Sampler>(
          greedy, context_.model.make_grammar({topology_grammar(plan_choices_), false, {}, ""}),
          true),
      SpanOwner::of(SpanKind::kPlan));
}

void ThinkSession::on_plan_token(const SampledToken& token) {
  ++plan_tokens_;
  const bool end =
      token.token == kNoToken || context_.vocabulary().is_end_of_generation(token.token);
  if (!end) plan_text_ += context_.vocabulary().piece(token.token, false);
  if (!end && plan_tokens_ < kMaxPlanTokens) return;
  views_->close(plan_sequence_);
  plan_sequence_ = -1;
  const auto planned =
      std::find_if(plan_choices_.begin(), plan_choices_.end(),
                   [&](const Topology& topology) { return topology.to_string() == plan_text_; });
  choose_topology(planned != plan_choices_.end() ? *planned : plan_choices_.back());
  start_phase();
}

void ThinkSession::choose_topology(const Topology& stated) {
  topology_ = stated;
  PlanDecision decision;
  decision.said = plan_text_;
  if (corrects_plan()) {
    const CorrectedTopology corrected =
        correct_topology(context_.heads->topology, plan_choices_, &stated,
                         static_cast<int>(request_.prompt.size()), prompt_state_);
    topology_ = plan_choices_[corrected.chosen];
    decision.stated = stated;
    for (size_t i = 0; i < plan_choices_.size(); ++i)
      decision.predicted.push_back({plan_choices_[i], corrected.probabilities[i]});
  }
  decision.topology = topology_;
  if (corrects_plan()) plan_ = decision;
  context_.decide(std::move(decision));
}

void ThinkSession::start_phase() {
  stage_ = Stage::kStreams;
  phase_.emplace(context_, static_cast<int>(phase_index_), topology_.phases[phase_index_],
                 static_cast<int>(finished_streams_.size()), base_sequence_, watches_collapse_);
  if (workspace_) workspace_->begin_phase(*phase_, base_sequence_);
  if (search_) search_->begin_phase(*phase_);
  if (memory_) memory_->begin_phase(phase_->streams());
}

void ThinkSession::remember() {
  if (workspace_)
    for (const Candidate& note : workspace_->take_promoted()) memory_->promoted(note);
  memory_->after_step();
}

// Makes one view of the phase's start and, for kv, of everything its streams decoded. Closes the
// streams' own views.
SequenceNumber ThinkSession::merged_view(MergeMode mode) {
  const SequenceNumber merged = views_->open();
  views_->join(base_sequence_, merged, 0, phase_->base_end());
  if (mode == MergeMode::kKv)
    for (const Stream& stream : phase_->streams())
      views_->join(stream.sequence, merged, phase_->base_end(),
                   views_->next_position(stream.sequence));
  for (const Stream& stream : phase_->streams()) views_->close(stream.sequence);
  views_->close(base_sequence_);
  return merged;
}

void ThinkSession::end_phase() {
  if (search_) search_->end_phase();
  if (workspace_) workspace_->end_phase();
  if (memory_) memory_->end_phase();
  for (const Stream& stream : phase_->streams()) finished_streams_.push_back(stream.result());
  thought_tokens_ += phase_->tokens();
  if (++phase_index_ == topology_.phases.size()) return start_answer();
  const MergeMode mode = request_.merge == MergeMode::kVote ? MergeMode::kKv : request_.merge;
  Tokens bridge = scaffold(mode, phase_->attempts(), context_.vocabulary());
  const Tokens text = context_.tokenize(bridge_text());
  bridge.insert(bridge.end(), text.begin(), text.end());
  base_sequence_ = merged_view(mode);
  views_->feed(base_sequence_, bridge, SpanOwner::of(SpanKind::kBridge));
  merge_prefill_tokens_ += static_cast<int>(bridge.size());
  stage_ = Stage::kBridge;
}

void ThinkSession::start_answer() {
  streams_end_ = views_->now();
  stage_ = Stage::kAnswer;
  MergeMode mode = request_.merge;
  if (mode == MergeMode::kVote) {
    std::vector<VoteEntry> votes;
    for (const Stream& stream : phase_->streams())
      votes.push_back({normalise_answer(stream.answer), stream.mean_logprob()});
    const int winner = vote_winner(votes);
    if (winner >= 0) return answer_by_vote(winner);
    mode = MergeMode::kKv;
    context_.decide(MergeDecision{MergeMode::kVote, MergeMode::kKv, "no stream stated an answer"});
  }
  Tokens instruction = scaffold(mode, phase_->attempts(), context_.vocabulary());
  instruction.insert(instruction.end(), request_.merge_instruction.begin(),
                     request_.merge_instruction.end());
  merge_prefill_tokens_ += static_cast<int>(instruction.size());
  answer_sequence_ = merged_view(mode);
  views_->feed(answer_sequence_, instruction, SpanOwner::of(SpanKind::kMerge));
  SamplingParams sampling = request_.answer_sampling;
  sampling.seed = seeds::kAnswer.of(request_.sampling.seed);
  answer_.emplace(0, context_.vocabulary(),
                  ChoiceLimits{request_.stop, request_.max_answer_tokens, request_.ignore_eos,
                               sampling.logprobs >= 0},
                  context_.events);
  views_->generate(answer_sequence_,
                   std::make_unique<Sampler>(sampling, std::move(answer_grammar_), true),
                   SpanOwner::of(SpanKind::kAnswer));
}

void ThinkSession::answer_by_vote(int winner) {
  const Stream& voter = phase_->streams()[static_cast<size_t>(winner)];
  const std::string text = conclusion_of(voter.text.text());
  context_.decide(VoteDecision{voter.id, voter.answer});
  first_answer_token_ = views_->now();
  context_.events->push(AnswerDelta{0, text, {}});
  context_.events->push(ChoiceEnded{0, FinishReason::kStop});
  finish(text, 0);
}

void ThinkSession::finish(const std::string& text, int answer_tokens) {
  stage_ = Stage::kDone;
  const TimePoint now = views_->now();
  Trace& trace = views_->trace();
  SessionResult& told = trace.result;
  told = {header_.id,
          header_.version,
          topology_,
          request_.merge,
          finished_streams_,
          {},
          {},
          {},
          {},
          plan_,
          {},
          text};
  int thought_tokens = thought_tokens_;
  if (workspace_) {
    told.workspace = workspace_->broadcasts();
    told.registers = workspace_->register_costs();
  }
  for (const RegisterCost& cost : told.registers) thought_tokens += cost.tokens;
  if (search_) {
    told.search = search_->report();
    thought_tokens += told.search->tokens - told.search->committed_tokens;
  }
  if (memory_) told.memory = memory_->report();
  Finished result;
  result.usage = {static_cast<int>(request_.prompt.size()), views_->cached_prompt_tokens(),
                  thought_tokens + answer_tokens, thought_tokens};
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

  told.timings = timings;
  if (memory_) result.memory = memory_->kept();
  result.trace = std::make_shared<Trace>(std::move(trace));
  context_.events->finish(std::move(result));
}

void ThinkSession::fail(const Error& error) { context_.events->fail(error); }

}  // namespace

std::unique_ptr<Session> make_think_session(const LanguageModel& model, const ThinkRequest& request,
                                            const ReasonOptions& options,
                                            std::shared_ptr<const Heads> heads,
                                            const TraceHeader& header,
                                            std::shared_ptr<EventChannel> events) {
  return std::make_unique<ThinkSession>(model, request, options, std::move(heads), header,
                                        std::move(events));
}

}  // namespace polyphon
