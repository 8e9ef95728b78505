#include "eval/evaluation.h"

#include <optional>

#include "core/seeds.h"
#include "sessions/session_driver.h"
#include "tasks/family.h"
#include "text/answer_extraction.h"

namespace polyphon {

ThinkInput evaluation_input(const Problem& problem, const Arm& arm,
                            const EvaluationOptions& options) {
  ThinkInput input;
  input.chat.messages = Json::array({{{"role", "user"}, {"content", problem.text}}});
  input.sampling.temperature = options.temperature;
  input.sampling.seed =
      seeds::kEvaluation.of(problem.seed, static_cast<uint64_t>(problem.difficulty));
  input.answer_sampling = input.sampling;
  input.answer_sampling.temperature = 0;
  input.max_answer_tokens = options.max_answer_tokens;
  arm.apply(input, options.shape);
  return input;
}

EvaluationSample sample_of(const Problem& problem, const std::string& arm,
                           const std::string& answer, const Finished& finished) {
  EvaluationSample sample;
  sample.arm = arm;
  sample.family = problem.family;
  sample.difficulty = problem.difficulty;
  sample.seed = problem.seed;
  sample.right = is_right(problem, answer);
  sample.answer = extract_answer(answer);
  sample.thought_tokens = finished.usage.reasoning_tokens;
  sample.answer_tokens = finished.timings.answer_tokens;
  sample.prefill_tokens = finished.timings.merge_prefill_tokens;
  sample.answer_ms = finished.timings.total_ms;
  for (const TraceSpan& span : finished.trace->spans)
    sample.cells += static_cast<int>(span.tokens.size());
  const SessionResult& thought = finished.trace->result;
  sample.promotions = thought.promotions();
  if (thought.search) {
    sample.search_tokens = thought.search->tokens;
    sample.search_committed_tokens = thought.search->committed_tokens;
  }
  for (const StreamResult& stream : thought.streams)
    sample.streams.push_back(
        {stream.strategy, is_right(problem, stream.text), !stream.answer.empty(), stream.tokens});
  return sample;
}

void evaluate(Reasoner& reasoner, const std::vector<WantedSample>& wanted,
              const EvaluationOptions& options, const SessionTerms& terms,
              const std::function<void(const EvaluationSample&)>& on_sample,
              const std::atomic<bool>& stop) {
  size_t begun = 0;
  const auto next = [&]() -> std::optional<SessionTask> {
    if (begun == wanted.size()) return std::nullopt;
    return [&, &want = wanted[begun++]](const Seat& seat) -> KeepTask {
      const Finished finished = seat.play(evaluation_input(want.problem, *want.arm, options));
      const auto answer = finished.trace->result.answer;
      return [&, sample = sample_of(want.problem, want.arm->name, answer, finished)] {
        on_sample(sample);
      };
    };
  };
  ReasonerPlayer player(reasoner);
  drive_sessions({&player},
                 {.parallel = options.parallel, .terms = terms, .stop_ends_sessions = true}, stop,
                 next);
}

}  // namespace polyphon
