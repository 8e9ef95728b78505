#include "data/answer_pool.h"

#include <algorithm>

#include "tasks/family.h"
#include "text/answer_extraction.h"

namespace polyphon {
namespace {

// The problem's solution, in its own spelling. If a problem has several right answers and the
// stream gave another one, the stream's answer.
std::string right_answer(const Problem& problem, const std::string& said) {
  if (normalise_answer(said) != normalise_answer(problem.solution) &&
      is_right(problem, answer_text(said)))
    return said;
  return problem.solution;
}

}  // namespace

std::optional<AnswerPool> answer_pool_of(const Trace& trace, const Outcome& outcome) {
  const auto merge =
      std::find_if(trace.spans.begin(), trace.spans.end(), [](const TraceSpan& span) {
        return span.owner.kind == SpanKind::kMerge && !span.tokens.empty();
      });
  const auto right = std::find(outcome.right.begin(), outcome.right.end(), true);
  if (merge == trace.spans.end() || right == outcome.right.end()) return std::nullopt;
  const Problem problem = problem_of(outcome);
  const auto stream = static_cast<size_t>(right - outcome.right.begin());
  return AnswerPool{static_cast<int>(merge - trace.spans.begin()),
                    right_answer(problem, trace.result.streams.at(stream).answer),
                    2 * outcome.right_count() <= static_cast<int>(outcome.right.size())};
}

std::string answer_text(const std::string& answer) { return "Answer: " + answer; }

}  // namespace polyphon
