// Draws reliability diagrams, which show how well probabilities are calibrated, as SVG for light
// and dark pages. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "tasks/classification.h"

namespace polyphon {

struct CalibrationLine {
  std::string name;      // a name has the same colour in all panels
  bool written = false;  // the line of the head that the version keeps: drawn thick
  std::vector<CalibrationBin> bins;
};

struct CalibrationPanel {
  std::string title, subtitle;
  std::vector<CalibrationLine> lines;
};

// Draws the panels, four in a row, and a legend. Each panel plots the observed frequency over the
// mean predicted probability; calibrated probabilities lie on the diagonal.
std::string calibration_svg(const std::vector<CalibrationPanel>& panels);

// Escapes text for XML, also for attributes. Control characters become U+FFFD.
std::string escape_xml(const std::string& text);

}  // namespace polyphon
