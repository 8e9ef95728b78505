#include "workspace/global_workspace.h"

#include <algorithm>
#include <cmath>

#include "record/trace_promotion.h"
#include "streams/conclusion.h"
#include "text/answer_extraction.h"
#include "text/similarity.h"

namespace polyphon {
namespace {

constexpr int kNoveltyNgram = 2;

}  // namespace

void GlobalWorkspace::begin_phase(StreamPhase& phase, SequenceNumber base) {
  phase_ = &phase;
  registers_.emplace(context_, base, phase.base_end());
  next_broadcast_ticks_ = 0;
  waiting_since_ticks_ = -1;
}

bool GlobalWorkspace::owns(SequenceNumber sequence) const {
  return registers_->owns(sequence) ||
         std::any_of(running_.begin(), running_.end(),
                     [&](const Running& r) { return r.promotion.owns(sequence); });
}

void GlobalWorkspace::on_token(SequenceNumber sequence, const SampledToken& token) {
  if (registers_->owns(sequence)) return registers_->on_token(sequence, token);
  for (Running& running : running_)
    if (running.promotion.owns(sequence)) return running.promotion.on_token(sequence);
}

int GlobalWorkspace::ticks() const {
  size_t ticks = 0;
  for (const Stream& stream : phase_->streams()) ticks = std::max(ticks, stream.tokens.size());
  return static_cast<int>(ticks);
}

void GlobalWorkspace::after_step() {
  for (Running& running : running_) {
    if (running.done) continue;
    running.done = running.promotion.after_step(phase_->streams());
  }
  registers_->after_step(phase_->streams(), [this](SequenceNumber sequence) {
    return std::any_of(waiting_.begin(), waiting_.end(),
                       [&](const auto& each) { return each.second.sequence == sequence; }) ||
           std::any_of(running_.begin(), running_.end(), [&](const Running& each) {
             return !each.done && each.promotion.source() == sequence;
           });
  });
  for (Candidate& note : registers_->take_notes()) keep(std::move(note));
  collect_conclusions();
  if (waiting_.empty()) return;
  if (waiting_since_ticks_ < 0) waiting_since_ticks_ = ticks();
  // Notes that are still being written take part too, but the others wait for them at most one
  // cadence.
  const bool complete = !registers_->writing() ||
                        ticks() >= waiting_since_ticks_ + context_.request.workspace.cadence_tokens;
  if (complete && ticks() >= next_broadcast_ticks_) compete();
}

void GlobalWorkspace::keep(Candidate candidate) {
  waiting_.insert_or_assign(candidate.source, std::move(candidate));
}

void GlobalWorkspace::collect_conclusions() {
  for (const Stream& stream : phase_->streams()) {
    if (!stream.ended() || !context_.views->idle(stream.sequence)) continue;
    if (!concluded_.insert(stream.id).second) continue;
    if (auto candidate = conclusion_candidate(stream, context_)) keep(std::move(*candidate));
  }
}

double GlobalWorkspace::disagreement() const {
  std::map<std::string, int> answers;
  int stated = 0, most = 0;
  for (const Stream& stream : phase_->streams()) {
    const std::string answer =
        normalise_answer(stream.ended() ? stream.answer : extract_answer(stream.text.text()));
    if (answer.empty()) continue;
    ++stated;
    most = std::max(most, ++answers[answer]);
  }
  return stated == 0 ? 0 : 1 - static_cast<double>(most) / stated;
}

GateFeatures GlobalWorkspace::features_of(const Candidate& candidate) const {
  GateFeatures features;
  features.confidence = candidate.confidence;
  double overlap = 0;
  for (const Tokens& said : said_)
    overlap = std::max(overlap, ngram_overlap(candidate.tokens, said, kNoveltyNgram));
  features.novelty = 1 - overlap;
  features.evidence = 1 - std::exp(-candidate.evidence);
  features.disagreement = disagreement();
  const int budget = std::max(1, phase_->streams().front().budget_tokens);
  features.progress = std::min(1.0, static_cast<double>(ticks()) / budget);
  features.conclusion = candidate.conclusion ? 1 : 0;
  return features;
}

void GlobalWorkspace::compete() {
  const bool anyone_listens = std::any_of(phase_->streams().begin(), phase_->streams().end(),
                                          [](const Stream& s) { return !s.ended(); });
  waiting_since_ticks_ = -1;
  std::vector<Scored> scored;
  for (auto& [source, candidate] : std::exchange(waiting_, {})) {
    const GateFeatures features = features_of(candidate);
    const double probability =
        promotion_probability(context_.heads->gate, features, candidate.hidden);
    scored.push_back({std::move(candidate), features, probability});
  }
  if (!anyone_listens) return;
  std::stable_sort(scored.begin(), scored.end(),
                   [](const Scored& a, const Scored& b) { return a.probability > b.probability; });
  GateDecision gate{{}, context_.request.workspace.gate_threshold, false};
  for (const Scored& each : scored)
    gate.candidates.push_back({each.candidate.source, each.candidate.sequence, each.candidate.begin,
                               each.candidate.end, each.candidate.text, each.probability,
                               each.features});
  gate.promoted = scored.front().probability > gate.threshold;
  context_.decide(gate);
  if (!gate.promoted) return;
  gate.candidates.erase(gate.candidates.begin());
  broadcast(scored.front(), std::move(gate.candidates));
}

void GlobalWorkspace::broadcast(const Scored& winner, std::vector<GateCandidate> lost) {
  const Candidate& candidate = winner.candidate;
  const int number = static_cast<int>(broadcasts_.size());
  const bool carried_out = number != context_.request.workspace.without_promotion;
  next_broadcast_ticks_ = ticks() + context_.request.workspace.refractory_tokens;
  said_.push_back(candidate.tokens);
  const auto last = last_sampled_token(context_.views->trace(), candidate.sequence, candidate.end);
  context_.decide(PromotionDecision{number, carried_out, winner.features, last ? last->span : -1,
                                    last ? last->index : -1});
  broadcasts_.push_back({number,
                         context_.views->step(),
                         candidate.source,
                         candidate.text,
                         winner.probability,
                         winner.features,
                         carried_out,
                         std::move(lost),
                         {}});
  if (!carried_out) return;
  context_.events->push(Promoted{number, candidate.source, candidate.text, winner.probability});
  registers_->hear(number, candidate);
  promoted_.push_back(candidate);
  running_.push_back(
      {broadcasts_.size() - 1, Promotion(context_, number, candidate, phase_->streams()), false});
}

void GlobalWorkspace::end_phase() {
  for (Running& running : running_) {
    running.promotion.abandon();
    broadcasts_[running.broadcast].streams = running.promotion.reactions(phase_->streams());
  }
  running_.clear();
  waiting_.clear();
  registers_->close();
  for (RegisterCost& cost : registers_->costs()) costs_.push_back(std::move(cost));
  registers_.reset();
  phase_ = nullptr;
}

std::vector<RegisterCost> GlobalWorkspace::register_costs() const {
  std::map<std::string, RegisterCost> by_name;
  for (const RegisterCost& cost : costs_) {
    RegisterCost& sum = by_name[cost.name];
    sum.name = cost.name;
    sum.notes += cost.notes;
    sum.rows += cost.rows;
    sum.tokens += cost.tokens;
    sum.ms += cost.ms;
  }
  std::vector<RegisterCost> result;
  for (auto& [name, sum] : by_name) result.push_back(std::move(sum));
  return result;
}

}  // namespace polyphon
