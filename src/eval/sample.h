// The result of one arm on one problem: one line of an evaluation's file.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"

namespace polyphon {

// A problem's name, such as "counting/1/1000003".
inline std::string problem_name(const std::string& family, int difficulty, uint64_t seed) {
  return family + "/" + std::to_string(difficulty) + "/" + std::to_string(seed);
}

struct StreamSample {
  std::string strategy;
  bool right = false;
  bool answered = false;
  int tokens = 0;
};

struct EvaluationSample {
  std::string arm;
  std::string family;
  int difficulty = 0;
  uint64_t seed = 0;
  bool right = false;
  std::string answer;      // extracted from the merged answer
  int thought_tokens = 0;  // tokens of streams, registers and searches
  int answer_tokens = 0;
  int prefill_tokens = 0;  // tokens decoded between the streams and the answer
  int cells = 0;           // KV cells that the session decoded: its peak memory
  double answer_ms = 0;    // from submission to the end of the answer
  int promotions = 0;
  int search_tokens = 0;
  int search_committed_tokens = 0;
  std::vector<StreamSample> streams;

  // The name of the problem, the same for every arm.
  std::string problem() const { return problem_name(family, difficulty, seed); }
};

Json to_json(const EvaluationSample& sample);
// Throws Error{kInvalidArgument} if it is not a sample.
EvaluationSample sample_from_json(const Json& json);

// An evaluation's file: a header line {"evaluation": {...}}, then one sample per line.
struct EvaluationFile {
  Json header;
  std::vector<EvaluationSample> samples;
};
// Throws Error{kNotFound}, or Error{kInvalidArgument} that names the line. Ignores a last line that
// a killed run left unfinished.
EvaluationFile read_evaluation(const std::string& path);

}  // namespace polyphon
