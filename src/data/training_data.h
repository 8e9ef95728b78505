// Builds training data from folders of self-play: token sequences with the tokens to learn and
// their weights, in polyphon-train's format (record/example.h).
//
// Streams: a sequence holds the prompt, the stream's preamble, the tokens that the stream sampled,
// and the end of its turn if it came to it. The last two are learnt, with the weights of
// stream_rewards.h. A problem that the model proposed is left out if all or no streams had it
// right: it is too easy or too hard. In cells with few successes, worked solutions are added.
//
// Answers: the whole session up to the instruction that asks for the answer, with its streams
// merged as they were; then, learnt, the right answer and the end of the turn (answer_pool.h).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "data/curriculum.h"
#include "data/rollouts.h"
#include "data/stream_rewards.h"
#include "model/language_model.h"
#include "record/example.h"
#include "streams/strategy.h"

namespace polyphon {

struct TrainingSequence {
  Cell cell;
  Example example;
};

struct DataOptions {
  RewardOptions rewards;
  int most_per_cell = 400;  // limit of right streams of a cell, and of wrong ones
  // Cells with a success below `worked_below` get `worked_per_cell` worked solutions. So does, for
  // each family, the difficulty after the hardest one that was played.
  double worked_below = 0.2;
  int worked_per_cell = 200;
  // Makes one sequence of each session, whose streams share their prompt, instead of one per
  // stream. It also holds what training needs to keep streams apart (whose rows are whose, and the
  // share of right streams) and what promotions brought, with the gate's features and their
  // effects.
  bool whole_sessions = false;
  // Limit, per cell, of answers learnt from sessions in which at most half of the streams were
  // right. From sessions in which most were right, at most as many in total are learnt, so that the
  // model does not learn to contradict the majority.
  int answers_per_cell = 0;
  // Weight of a token: an answer has about five tokens, its streams have hundreds.
  double answer_weight = 8;
  int most_tokens = 1024;  // longest sequence: it must fit into one batch of the trainer
  // For a control experiment: shuffles outcomes among all streams, and worked solutions and answers
  // among the problems of a cell. So the form can be learnt, but not how to solve a problem.
  bool random_rewards = false;
  uint64_t seed = 1;
};

struct DataCounts {
  struct Cell {
    int problems = 0;
    int right = 0, wrong = 0;        // chosen streams
    int minority = 0, majority = 0;  // chosen answers, by how many of the streams were right
    int worked = 0;                  // worked solutions
  };
  std::map<polyphon::Cell, Cell> cells;
  int sequences = 0;
  int longest = 0;   // tokens of the longest sequence
  int too_long = 0;  // sequences left out because of most_tokens
  int64_t tokens = 0, target_tokens = 0;
  int effects = 0;    // effects of promotions that are learnt
  int proposed = 0;   // problems that the model proposed, used
  int one_sided = 0;  // proposed problems left out: all or no streams were right
  int foreign = 0;    // left out: traces of another model
  // Left out: sessions with searches, whose committed tokens are in no stream's spans.
  int searched = 0;
  int damaged = 0;
  std::string first_damage;
};
Json to_json(const DataCounts& counts);

// Reads the folders and returns the sequences, shuffled by seed; the same for the same input.
// `held_out`: see self_play(). Throws Error{kNotFound} if a folder is missing, and
// Error{kInvalidArgument} if there is nothing to learn.
std::vector<TrainingSequence> build_training_data(const std::vector<std::string>& folders,
                                                  const LanguageModel& model,
                                                  const std::string& model_digest,
                                                  const std::vector<Strategy>& strategies,
                                                  const std::set<std::string>& held_out,
                                                  const DataOptions& options, DataCounts& counts);

// Writes a first line that names the model (its tokenizer made the tokens), then one sequence per
// line. Writes a temporary file beside `path` and renames it. Throws Error{kInternal}.
void write_training_data(const std::string& path, const std::string& model_digest,
                         const std::vector<TrainingSequence>& sequences);

}  // namespace polyphon
