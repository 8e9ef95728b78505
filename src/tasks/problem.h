// A verifiable problem: its text, and what is needed to check an answer exactly. Plain.
#pragma once

#include <cstdint>
#include <string>

#include "core/json.h"

namespace polyphon {

struct Problem {
  std::string family;
  int difficulty = 1;  // 1..kMaxDifficulty
  uint64_t seed = 0;
  std::string text;      // for the model; asks for a last line "Answer: ..."
  std::string solution;  // one right answer, which the family's checker accepts
  Json facts;            // what the checker needs beside it, null for most

  static constexpr int kMaxDifficulty = 10;
};

}  // namespace polyphon
