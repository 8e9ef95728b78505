// What streams are made to say for measuring memory: a story that marks facts to be remembered and
// goes on for long enough that they leave the window; and then, each in a stream of its own, the
// questions, whose answers the model must find by itself. Pure, deterministic by seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/topology.h"
#include "model/vocabulary.h"
#include "record/trace.h"

namespace polyphon {

struct RecallQuestion {
  std::string name;      // "red falcon"
  std::string expected;  // "4417"
  Tokens tokens;         // the model answers after them
};

struct RecallScript {
  Tokens story;
  size_t last_fact_end = 0;  // in the story
  std::vector<RecallQuestion> questions;

  size_t longest_question() const;
};

inline constexpr int kMostFacts = 150;
inline constexpr int kAnswerTokens = 7;  // a space, four digits, and what ends them

// `before_tokens` of other text come before the facts, at least `after_tokens` after them. At
// most kMostFacts facts.
RecallScript make_recall_script(const Vocabulary& vocabulary, int facts, int before_tokens,
                                int after_tokens, uint64_t seed);

// One stream tells the story, then one a question asks it.
Topology recall_topology(const RecallScript& script);
std::vector<Tokens> recall_scripts(const RecallScript& script);
// What the streams of a session of that topology said to the questions, in order, by its trace.
std::vector<std::string> recall_answers(const Trace& trace, const RecallScript& script,
                                        const Vocabulary& vocabulary);
// The answer begins with the number and goes on with none of its digits.
bool is_exact_recall(const std::string& answer, const std::string& expected);

}  // namespace polyphon
