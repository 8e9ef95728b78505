// What the streams of a session are made to say so that memory has to work: each states a few facts
// among idle sentences, and later asks, at a time when the read head looks, for facts that other
// streams stated, in other words; what follows a question the model says itself. Pure,
// deterministic by seed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/vocabulary.h"
#include "record/outcome.h"
#include "tasks/recall_facts.h"

namespace polyphon {

struct RecallPlayOptions {
  RelationSet relations = RelationSet::kTraining;
  int streams = 16;
  int facts = 3;                // of a stream
  int questions = 3;            // of a stream
  int people = 10;              // fewer: more facts about each
  double unstated_share = 0.2;  // of questions, for what nobody has stated
};

// Whether it is what the read head's query ends with.
bool asks(std::string_view query, const AskedFact& asked);

struct RecallQuestionAt {
  AskedFact asked;
  std::string answer;       // a word or number of the fact
  size_t answer_begin = 0;  // of kRecallAnswerTokens of the stream's own tokens
};

// It begins like a node, so that a small model repeats what it recalls.
inline constexpr size_t kRecallAnswerTokens = 16;

struct RecallPlay {
  std::vector<Tokens> scripts;              // a stream each, of one length; kNoToken: its own
  int cadence_tokens = 0;                   // a question ends with a multiple of it
  std::vector<RecallQuestionAt> questions;  // no fact is asked for twice
};

// At most so many tokens has a script, where a sentence has at most 20: on all vocabularies that
// have words.
int most_script_tokens(const RecallPlayOptions& options);

// Throws Error{kInvalidArgument} when there are too few facts: people * relations of the set must
// be at least streams * facts.
RecallPlay make_recall_play(const Vocabulary& vocabulary, const RecallPlayOptions& options,
                            uint64_t seed);

}  // namespace polyphon
