// A text that a stream is made to say, for measuring memory: facts that it marks to be remembered,
// then other text for long enough that they leave its window, then a question about each, whose
// answer the model must find by itself. Pure, deterministic by seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/trace.h"
#include "model/vocabulary.h"

namespace polyphon {

struct RecallQuestion {
  std::string name;      // "red falcon"
  std::string expected;  // "4417"
  size_t answer = 0;     // index in the script of the first token that the model is free to choose
};

struct RecallScript {
  Tokens tokens;  // kNoToken where the model answers
  size_t last_fact_end = 0;
  size_t first_question = 0;
  std::vector<RecallQuestion> questions;
};

inline constexpr int kMostFacts = 160;
inline constexpr int kAnswerTokens = 7;  // a space, four digits, and what ends them

// `before_tokens` of other text come before the facts, at least `between_tokens` after them. At
// most kMostFacts facts.
RecallScript make_recall_script(const Vocabulary& vocabulary, int facts, int before_tokens,
                                int between_tokens, uint64_t seed);

// What the stream `owner` said at each question's place, in order, by the trace.
std::vector<std::string> recall_answers(const Trace& trace, const std::string& owner,
                                        const RecallScript& script, const Vocabulary& vocabulary);
// The answer begins with the number and goes on with none of its digits.
bool is_exact_recall(const std::string& answer, const std::string& expected);

}  // namespace polyphon
