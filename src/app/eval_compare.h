// polyphon eval --compare: two sides, each a file of samples, a version or the base, beside each
// other.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/evaluation_run.h"

namespace polyphon {

struct CompareOptions {
  // Two: a file of samples, the folder of a version, or `base` (also the name that the model was
  // given by).
  std::vector<std::string> sides;
  // What sides that are not files are evaluated on, without output and with the model's own config:
  // each side is evaluated with its own adapter and heads, or without. Its arms may not be empty.
  std::optional<EvaluationRun> run;
  std::string folder;             // keeps samples as FOLDER/<side>.jsonl; empty: they are not kept
  std::vector<std::string> arms;  // compare only these; empty: all that both have
  std::string calibration;        // an SVG of how well the sides' heads are calibrated
  bool json = false;
};

// Reads what there is and refuses what cannot be compared before anything is evaluated, prints the
// comparison, and returns the program's exit code. Throws Error.
int compare_command(const CompareOptions& options);

}  // namespace polyphon
