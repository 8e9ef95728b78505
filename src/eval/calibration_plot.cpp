#include "eval/calibration_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace polyphon {
namespace {

// In pixels.
constexpr double kPlot = 190, kGap = 24, kLeft = 56, kRight = 16, kTop = 48, kBottom = 52;
constexpr double kLegendRow = 22, kLetter = 6.6;  // kLetter: approximate width of a letter of 12 px
constexpr size_t kPanelsInARow = 4;

// Colours that colour-blind readers can distinguish (Okabe and Ito 2008), for light and dark pages.
constexpr std::string_view kLight[] = {"#0072b2", "#d55e00", "#009e73",
                                       "#b0558f", "#b87a00", "#57606a"};
constexpr std::string_view kDark[] = {"#58a6ff", "#ff8c42", "#2fc79a",
                                      "#e29ac4", "#f2c14e", "#c9d1d9"};
constexpr size_t kColours = std::size(kLight);

std::string style() {
  std::string light, dark;
  for (size_t i = 0; i < kColours; ++i) {
    light += fmt::format(".c{}{{color:{}}}\n", i, kLight[i]);
    dark += fmt::format(".c{}{{color:{}}}\n", i, kDark[i]);
  }
  return "<style>\n"
         "svg{color:#6e7781}\n"
         ".paper{fill:#ffffff}\n"
         "text{fill:#1f2328;font:12px system-ui,-apple-system,'Segoe UI',sans-serif}\n"
         ".title{font-weight:600}\n"
         ".grid{stroke:#d8dee4;stroke-width:1}\n"
         ".diagonal{stroke:#6e7781;stroke-width:1;stroke-dasharray:4 3}\n"
         ".line{fill:none;stroke:currentColor;stroke-width:1.4;stroke-linejoin:round}\n"
         ".written{stroke-width:3}\n"
         ".point{fill:currentColor}\n" +
         light +
         "@media (prefers-color-scheme:dark){\n"
         "svg{color:#9198a1}\n"
         ".paper{fill:#0d1117}\n"
         "text{fill:#e6edf3}\n"
         ".grid{stroke:#30363d}\n"
         ".diagonal{stroke:#9198a1}\n" +
         dark + "}\n</style>\n";
}

std::string text_at(double x, double y, const char* anchor, const std::string& text,
                    const std::string& more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y,
                     anchor, more, escape_xml(text));
}

std::string straight(const char* kind, double x1, double y1, double x2, double y2) {
  return fmt::format(
      "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kind, x1,
      y1, x2, y2);
}

// Names in the order of their first use, which is also the order of their colours.
std::vector<std::string> names_of(const std::vector<CalibrationPanel>& panels) {
  std::vector<std::string> names;
  for (const CalibrationPanel& panel : panels)
    for (const CalibrationLine& line : panel.lines)
      if (std::find(names.begin(), names.end(), line.name) == names.end())
        names.push_back(line.name);
  return names;
}

size_t colour_of(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin()) %
         kColours;
}

// A long name gets smaller letters, so that it fits above its panel.
std::string subtitle(const std::string& name, double x, double y) {
  const double length = kLetter * static_cast<double>(name.size()), room = kPlot + kGap - 10;
  const double size = 12 * std::clamp(room / std::max(length, 1.0), 0.5, 1.0);
  return text_at(x, y, "middle", name, fmt::format(" style=\"font-size:{:.1f}px\"", size));
}

// Draws a panel's frame; the plot's corners are (x, y) and (x + kPlot, y + kPlot).
std::string frame(const CalibrationPanel& panel, double x, double y, bool leftmost) {
  std::string text = text_at(x + kPlot / 2, y - 26, "middle", panel.title, " class=\"title\"") +
                     subtitle(panel.subtitle, x + kPlot / 2, y - 10);
  for (int fifth = 0; fifth <= 5; ++fifth) {
    const double at = kPlot * fifth / 5;
    const std::string label = fifth == 0 ? "0" : fifth == 5 ? "1" : fmt::format("0.{}", 2 * fifth);
    text += straight("grid", x + at, y, x + at, y + kPlot);
    text += straight("grid", x, y + at, x + kPlot, y + at);
    text += text_at(x + at, y + kPlot + 16, "middle", label);
    if (leftmost) text += text_at(x - 6, y + kPlot - at + 4, "end", label);
  }
  text += straight("diagonal", x, y + kPlot, x + kPlot, y);
  text += text_at(x + kPlot / 2, y + kPlot + 34, "middle", "probability");
  if (leftmost)
    text += text_at(
        0, 0, "middle", "share that was so",
        fmt::format(" transform=\"translate({:.1f} {:.1f}) rotate(-90)\"", x - 38, y + kPlot / 2));
  return text;
}

std::string draw(const CalibrationLine& line, double x, double y, size_t colour) {
  std::string path, points;
  for (const CalibrationBin& bin : line.bins) {
    const double at_x = x + kPlot * bin.predicted, at_y = y + kPlot * (1 - bin.observed);
    path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "" : " ", at_x, at_y);
    points += fmt::format(
        "<circle class=\"point\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"><title>{}: {:.3f} "
        "predicted, {:.3f} so, of {}</title></circle>\n",
        at_x, at_y, line.written ? 3.2 : 2.4, escape_xml(line.name), bin.predicted, bin.observed,
        bin.count);
  }
  return fmt::format("<g class=\"c{}\">\n<polyline class=\"line{}\" points=\"{}\"/>\n{}</g>\n",
                     colour, line.written ? " written" : "", path, points);
}

std::string panel_at(const CalibrationPanel& panel, double x, double y, bool leftmost,
                     const std::vector<std::string>& names) {
  std::string text = "<g class=\"panel\">\n" + frame(panel, x, y, leftmost);
  // The kept head's line is drawn last, above the others.
  for (const bool written : {false, true})
    for (const CalibrationLine& line : panel.lines)
      if (line.written == written) text += draw(line, x, y, colour_of(names, line.name));
  return text + "</g>\n";
}

// Uses as many rows as the width needs. Sets `y` to the position below them.
std::string legend(const std::vector<std::string>& names, double width, double& y) {
  std::string text;
  double x = kLeft;
  const auto place = [&](const std::string& mark, const std::string& name) {
    const double length = 34 + kLetter * static_cast<double>(name.size()) + 18;
    if (x > kLeft && x + length > width) {
      x = kLeft;
      y += kLegendRow;
    }
    text += fmt::format("<g transform=\"translate({:.1f} {:.1f})\">{}{}</g>\n", x, y, mark,
                        text_at(34, 4, "start", name));
    x += length;
  };
  for (const std::string& name : names)
    place(fmt::format("<g class=\"c{}\"><polyline class=\"line\" points=\"0,0 26,0\"/>"
                      "<circle class=\"point\" cx=\"13\" cy=\"0\" r=\"2.4\"/></g>",
                      colour_of(names, name)),
          name);
  place("<polyline class=\"line written\" points=\"0,0 26,0\"/>", "thick: what is written");
  place("<line class=\"diagonal\" x1=\"0\" y1=\"0\" x2=\"26\" y2=\"0\"/>", "calibrated");
  y += kLegendRow;
  return text;
}

}  // namespace

std::string escape_xml(const std::string& text) {
  std::string escaped;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        if (static_cast<unsigned char>(letter) < 0x20)
          escaped += "\xEF\xBF\xBD";
        else
          escaped += letter;
    }
  }
  return escaped;
}

std::string calibration_svg(const std::vector<CalibrationPanel>& panels) {
  const std::vector<std::string> names = names_of(panels);
  const size_t columns = std::clamp<size_t>(panels.size(), 2, kPanelsInARow);
  const double width = kLeft + static_cast<double>(columns) * (kPlot + kGap) - kGap + kRight;
  std::string text;
  for (size_t i = 0; i < panels.size(); ++i) {
    const size_t row = i / kPanelsInARow, column = i % kPanelsInARow;
    text +=
        panel_at(panels[i], kLeft + static_cast<double>(column) * (kPlot + kGap),
                 kTop + static_cast<double>(row) * (kTop + kPlot + kBottom), column == 0, names);
  }
  const size_t rows = (panels.size() + kPanelsInARow - 1) / kPanelsInARow;
  double height = static_cast<double>(rows) * (kTop + kPlot + kBottom) + 8;
  text += legend(names, width, height);
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
             "viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\">\n"
             "<title>The share that was so by probability</title>\n{2}"
             "<rect class=\"paper\" width=\"{0:.0f}\" height=\"{1:.0f}\"/>\n",
             width, height, style()) +
         text + "</svg>\n";
}

}  // namespace polyphon
