// Reads the figures that `polyphon train --heads` measured of a version's heads, on self-play that
// was not used for training (head_trainer/head_report.h). They are in metrics.heads of a version
// and in heads.jsonl. Makes tables and plots of them.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "eval/calibration_plot.h"

namespace polyphon {

struct MeasuredHeads {
  std::string name;         // name of the version or file
  std::vector<Json> lines;  // empty if no heads were trained
};

// Reads a version's folder, or a file of such lines. The name is the folder's name, also for a
// heads.jsonl in it; for another file, the part of its name after "-heads-". Throws
// Error{kNotFound}, or Error{kInvalidArgument} that names the bad line.
MeasuredHeads read_measured_heads(const std::string& path);

// Two Markdown tables: precision, recall and average precision of the gates; AUC and Brier score of
// the value heads. Each head stands beside its baselines. Empty if neither was measured.
std::string to_markdown(const std::vector<MeasuredHeads>& heads);

// One panel per head that has probabilities. Throws Error{kInvalidArgument} if there is none.
std::vector<CalibrationPanel> calibration_panels(const std::vector<MeasuredHeads>& heads);
// Writes the panels as an SVG file. Throws like calibration_panels(), and Error{kInternal} if the
// file cannot be written.
void draw_calibration(const std::string& path, const std::vector<MeasuredHeads>& heads);

}  // namespace polyphon
