#include "search/trace_steps.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/topology.h"
#include "heads/thought_step.h"
#include "search/search_trigger.h"
#include "text/answer_extraction.h"

namespace polyphon {
namespace {

constexpr Step kNever = std::numeric_limits<Step>::max();

// A token of a stream's text: sampled, or of a cue that was fed.
struct Heard {
  Step step = 0;  // number of decodes when it was sampled; it is decoded in the next one
  int span = 0;
  int index = 0;
  Token token = 0;
  float logprob = 0;  // NaN for a token of a cue
  std::string text;   // the stream's text up to and including this token
};

struct Line {
  std::vector<Heard> heard;
  Step ended = 0;  // from this step on it has its final answer
  std::string answer;
  Step searched = kNever;  // from this step on its tokens are in other spans
};

Line line_of(const Trace& trace, const Vocabulary& vocabulary, const StreamResult& stream) {
  Line line;
  for (const TraceSpan& span : trace.spans) {
    const bool cue = span.owner.kind == SpanKind::kCue && span.owner.stream == stream.id;
    if (!span.owner.is_stream(stream.id) && !cue) continue;
    for (size_t i = 0; i < span.tokens.size(); ++i)
      line.heard.push_back(
          {span.steps[i], span.id, static_cast<int>(i), span.tokens[i], span.logprobs[i], ""});
  }
  std::stable_sort(line.heard.begin(), line.heard.end(),
                   [](const Heard& a, const Heard& b) { return a.step < b.step; });
  std::string text;
  for (Heard& heard : line.heard) heard.text = text += vocabulary.piece(heard.token, false);

  // An end of turn is sampled one step after the last token and is never decoded.
  const bool stopped = stream.finish_reason == FinishReason::kStop;
  if (!line.heard.empty()) line.ended = line.heard.back().step + (stopped ? 1 : 0);
  line.answer = stream.answer;
  for (const TraceDecision& decision : trace.decisions)
    if (const auto* search = std::get_if<SearchDecision>(&decision.what);
        search && search->stream == stream.id)
      line.searched = std::min(line.searched, decision.step);
  return line;
}

// The answer that the line has stated when another stream's token is sampled at `step`. Within a
// step the streams get their tokens in order.
std::string stated_at(const Line& line, Step step, bool has_its_token) {
  const Step known = has_its_token ? step : step - 1;
  if (line.ended <= known) return line.answer;
  const auto later = std::find_if(line.heard.begin(), line.heard.end(),
                                  [&](const Heard& heard) { return heard.step > known; });
  return later == line.heard.begin() ? "" : explicit_answer(std::prev(later)->text);
}

class PhaseSteps {
 public:
  PhaseSteps(const Vocabulary& vocabulary, const std::vector<std::vector<float>>& entropies,
             int budget_tokens, std::vector<Line> lines)
      : vocabulary_(vocabulary),
        entropies_(entropies),
        budget_tokens_(budget_tokens),
        lines_(std::move(lines)) {}

  void add_steps(size_t own, int stream, std::vector<TraceStep>& steps) const {
    SearchTrigger trigger{SearchRequest()};
    Tokens said;
    double logprob_sum = 0;
    int number = 0;
    for (const Heard& heard : lines_[own].heard) {
      if (heard.step >= lines_[own].searched) return;
      if (std::isnan(heard.logprob)) continue;
      said.push_back(heard.token);
      logprob_sum += heard.logprob;
      const auto entropy =
          entropies_[static_cast<size_t>(heard.span)][static_cast<size_t>(heard.index)];
      const std::string piece = vocabulary_.piece(heard.token, false);
      if (!trigger.observe(heard.token, piece, heard.logprob, entropy)) continue;
      const ThoughtStep step = trigger.step();
      trigger.at_step_end(0);
      const std::string answer = explicit_answer(step.text);
      StepSurroundings around = this->around(own, heard.step, step, said, answer);
      around.line_mean_logprob = logprob_sum / static_cast<double>(said.size());
      steps.push_back({stream, heard.span, heard.index,
                       features_of(step, normalise_answer(answer), around), number++,
                       step.mean_logprob(), around.line_mean_logprob});
    }
  }

 private:
  StepSurroundings around(size_t own, Step now, const ThoughtStep& step, const Tokens& said,
                          const std::string& answer) const {
    StepSurroundings around;
    const auto before = std::span(said).first(said.size() - step.tokens.size());
    const auto tail = before.last(std::min(before.size(), kTokensLookedBack));
    around.before.assign(tail.begin(), tail.end());
    around.tokens_left = budget_tokens_ - static_cast<int>(said.size());
    around.budget_tokens = budget_tokens_;
    for (size_t i = 0; i < lines_.size() && !answer.empty(); ++i) {
      if (i == own) continue;
      const std::string stated = stated_at(lines_[i], now, i < own);
      if (!stated.empty()) around.other_answers.push_back(normalise_answer(stated));
    }
    return around;
  }

  const Vocabulary& vocabulary_;
  const std::vector<std::vector<float>>& entropies_;
  const int budget_tokens_;
  const std::vector<Line> lines_;  // lines of the phase's streams
};

}  // namespace

std::vector<TraceStep> thought_steps(const Trace& trace, const Vocabulary& vocabulary,
                                     const std::vector<std::vector<float>>& entropies) {
  const std::vector<StreamResult>& streams = trace.result.streams;
  std::vector<TraceStep> steps;
  size_t first = 0;
  for (const Phase& phase : trace.result.topology.phases) {
    std::vector<Line> lines;
    for (size_t i = first; i < std::min(streams.size(), first + phase.streams); ++i)
      lines.push_back(line_of(trace, vocabulary, streams[i]));
    const size_t count = lines.size();
    const PhaseSteps of_phase(vocabulary, entropies, phase.tokens, std::move(lines));
    for (size_t i = 0; i < count; ++i) of_phase.add_steps(i, static_cast<int>(first + i), steps);
    first += count;
  }
  return steps;
}

}  // namespace polyphon
