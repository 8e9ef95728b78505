// Training data out of self-play: sequences with the tokens that are learnt and their weights, in
// polyphon-train's format (record/example.h).
//
// Streams: the prompt, a stream's preamble, what the stream sampled, and the end of its turn where
// it came to it; the last two are learnt, as stream_rewards.h weighs them. Of problems that the
// model proposed those are left out that all or no streams had right, so that what it finds too
// easy or too hard is not learnt from. Worked solutions stand in for successes in cells that have
// few.
//
// Answers: the whole session up to the instruction that asks for one, its streams merged as they
// were, and then, learnt, the right answer and the end of the turn (answer_pool.h).
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
  int most_per_cell = 400;  // right streams of a cell, and as many wrong ones
  // Cells whose success is below get so many worked solutions, and so does the difficulty that
  // comes after those of a family that were played.
  double worked_below = 0.2;
  int worked_per_cell = 200;
  // A session is one sequence, whose streams share their prompt, instead of one for each stream. It
  // says which rows are whose, and what share was right, so that streams can be held apart; and
  // what promotions brought, what the gate knew of them and what they did.
  bool whole_sessions = false;
  // Answers learnt from sessions of a cell in which few streams were right, and at most as many
  // from those in which most were, so that contradicting them is not learnt; of these no more in
  // all.
  int answers_per_cell = 0;
  double answer_weight = 8;  // of a token: an answer has five where its streams have hundreds
  int most_tokens = 1024;    // of a sequence: a batch of the trainer must hold it whole
  // The control: outcomes are dealt out anew among all streams, worked solutions and answers among
  // the problems of a cell. What is still learnt is the form, not the problem.
  bool random_rewards = false;
  uint64_t seed = 1;
};

struct DataCounts {
  struct Cell {
    int problems = 0;
    int right = 0, wrong = 0;        // streams that were chosen
    int minority = 0, majority = 0;  // answers that were, by how many of the streams were right
    int worked = 0;                  // solutions that are learnt
  };
  std::map<polyphon::Cell, Cell> cells;
  int sequences = 0;
  int longest = 0;   // in tokens
  int too_long = 0;  // left out
  int64_t tokens = 0, target_tokens = 0;
  int effects = 0;    // of promotions that are learnt
  int proposed = 0;   // problems that the model proposed and that are used
  int one_sided = 0;  // proposed ones that all or no streams had right, left out
  int foreign = 0;    // traces of another model, left out
  int searched = 0;   // with tree searches, left out: what those committed is in no stream's spans
  int damaged = 0;
  std::string first_damage;
};
Json to_json(const DataCounts& counts);

// Reads the folders of self-play. Shuffled by seed; the same for the same input. `held_out` as for
// self_play(). Throws Error{kNotFound}, Error{kInvalidArgument} when nothing is left to learn from.
std::vector<TrainingSequence> build_training_data(const std::vector<std::string>& folders,
                                                  const LanguageModel& model,
                                                  const std::string& model_digest,
                                                  const std::vector<Strategy>& strategies,
                                                  const std::set<std::string>& held_out,
                                                  const DataOptions& options, DataCounts& counts);

// Behind a first line that names the model, whose tokens these are. Writes beside `path` and
// renames. Throws Error{kInternal}.
void write_training_data(const std::string& path, const std::string& model_digest,
                         const std::vector<TrainingSequence>& sequences);

}  // namespace polyphon
