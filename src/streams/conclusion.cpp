#include "streams/conclusion.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/answer_extraction.h"

namespace polyphon {

std::optional<Candidate> conclusion_candidate(const Stream& stream, const ThinkContext& context) {
  if (stream.answer.empty() || stream.tokens.empty()) return std::nullopt;
  const std::string text = conclusion_of(stream.text.text());
  size_t first = stream.tokens.size(), bytes = 0;
  while (first > 0 && bytes < text.size())
    bytes += context.vocabulary().piece(stream.tokens[--first], false).size();
  Candidate candidate;
  candidate.source = NoteSource::of_stream(stream.id);
  candidate.sequence = stream.sequence;
  candidate.tokens.assign(stream.tokens.begin() + static_cast<std::ptrdiff_t>(first),
                          stream.tokens.end());
  candidate.end = context.views->end_position(stream.sequence);
  candidate.begin = std::max(0, candidate.end - static_cast<Position>(candidate.tokens.size()));
  candidate.text = text;
  candidate.confidence = std::exp(stream.mean_logprob());
  candidate.conclusion = true;
  candidate.hidden = stream.hidden;
  return candidate;
}

}  // namespace polyphon
