// Draws how well probabilities are calibrated (reliability diagrams), as SVG that reads on light
// and on dark pages. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "tasks/classification.h"

namespace polyphon {

struct CalibrationLine {
  std::string name;      // has one colour in all panels
  bool written = false;  // drawn thick
  std::vector<CalibrationBin> bins;
};

struct CalibrationPanel {
  std::string title, subtitle;
  std::vector<CalibrationLine> lines;
};

// A panel each, four in a row, under them what the colours mean: the share that was so over the
// mean probability. On the diagonal a probability says what it means.
std::string calibration_svg(const std::vector<CalibrationPanel>& panels);

// Text as it may stand in XML, also in an attribute; control characters become U+FFFD.
std::string escape_xml(const std::string& text);

}  // namespace polyphon
