// What `polyphon train --heads` measured of a version's heads on self-play that they were not
// fitted to (head_trainer/head_report.h), as it stands in metrics.heads of a version and in
// heads.jsonl.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "eval/calibration_plot.h"

namespace polyphon {

struct MeasuredHeads {
  std::string name;         // whose heads they are
  std::vector<Json> lines;  // none when no heads were trained
};

// A version's folder, or a file of such lines. A folder gives its name, to its heads.jsonl as well;
// another file is called by what follows "-heads-" in its name. Throws Error{kNotFound}, or
// Error{kInvalidArgument} with the line that is none.
MeasuredHeads read_measured_heads(const std::string& path);

// Two Markdown tables: the gates' precision, recall and average precision, and the value heads' AUC
// and Brier score, each beside what they were measured against. Empty when neither was measured.
std::string to_markdown(const std::vector<MeasuredHeads>& heads);

// A panel for each head that has probabilities. Throws Error{kInvalidArgument} when none has.
std::vector<CalibrationPanel> calibration_panels(const std::vector<MeasuredHeads>& heads);
// The panels as a file of SVG. Throws as calibration_panels(), Error{kInternal} as replace_file().
void draw_calibration(const std::string& path, const std::vector<MeasuredHeads>& heads);

}  // namespace polyphon
