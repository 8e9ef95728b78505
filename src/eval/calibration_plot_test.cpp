#include "eval/calibration_plot.h"

#include <gtest/gtest.h>

#include <regex>

namespace polyphon {
namespace {

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// Why the text is not well-formed XML (checks tags and entities only); empty if it is.
std::string fault_of(const std::string& text) {
  const std::regex tag(R"(<(/?)(\w+)((?:\s+[\w:-]+="[^"<>]*")*)\s*(/?)>)");
  const std::regex loose("&(?!(?:amp|lt|gt|quot);)|[\\x01-\\x09\\x0b-\\x1f]");
  std::vector<std::string> open;
  std::smatch found;
  std::string rest = text, outside;
  while (std::regex_search(rest, found, tag)) {
    outside += found.prefix().str();
    if (open.empty() && found.position() > 0) return "text outside: " + found.prefix().str();
    if (found[1].length() > 0) {
      if (open.empty() || open.back() != found[2]) return "closed but not open: " + found.str();
      open.pop_back();
    } else if (found[4].length() == 0) {
      open.push_back(found[2]);
    }
    rest = found.suffix();
  }
  if (!open.empty()) return "not closed: " + open.back();
  if (outside.find('<') != std::string::npos) return "no tag: " + outside;
  return std::regex_search(text, found, loose) ? "not escaped: " + found.str() : "";
}

const std::vector<CalibrationBin> kBins = {{40, 0.25, 0.5}, {40, 0.75, 1}};

TEST(CalibrationPlot, DrawsAPanelPerHeadAndAPointPerBin) {
  const std::string svg = calibration_svg(
      {{"gate head", "night-1", {{"features", true, kBins}}},
       {"value head", "night-1", {{"untrained", false, kBins}, {"features", true, kBins}}}});
  EXPECT_EQ(fault_of(svg), "");
  EXPECT_EQ(count(svg, "<g class=\"panel\">"), 2);
  EXPECT_EQ(count(svg, "<title>features: "), 4);
  EXPECT_EQ(count(svg, "<title>untrained: 0.250 predicted, 0.500 so, of 40</title>"), 1);
  EXPECT_EQ(count(svg, "class=\"line written\" points=\""), 3) << "two lines, and the legend";
  EXPECT_EQ(count(svg, ">gate head</text>"), 1);
}

// The corners of the first plot are (56, 48) and (246, 238).
TEST(CalibrationPlot, PointsStandWhereTheirProbabilitiesAre) {
  const std::string svg = calibration_svg({{"gate head", "", {{"features", false, kBins}}}});
  EXPECT_EQ(count(svg, "points=\"103.5,143.0 198.5,48.0\""), 1) << svg;
  EXPECT_EQ(count(svg, "class=\"diagonal\" x1=\"56.0\" y1=\"238.0\" x2=\"246.0\" y2=\"48.0\""), 1);
}

TEST(CalibrationPlot, ANameHasOneColourInAllPanels) {
  const CalibrationLine one{"features", false, kBins}, other{"untrained", false, kBins};
  const std::string svg = calibration_svg({{"a", "", {one, other}}, {"b", "", {other}}});
  EXPECT_EQ(count(svg, "<g class=\"c0\">"), 2) << "one line, and the legend";
  EXPECT_EQ(count(svg, "<g class=\"c1\">"), 3);
}

TEST(CalibrationPlot, NamesCannotBreakIt) {
  const std::string name = "<a href=\"x\"> & \x01 </a>";
  const std::string svg = calibration_svg({{name, name, {{name, true, kBins}}}});
  EXPECT_EQ(fault_of(svg), "");
  EXPECT_EQ(escape_xml("a < b & \"c\" > d\x1b"), "a &lt; b &amp; &quot;c&quot; &gt; d\xEF\xBF\xBD");
}

TEST(CalibrationPlot, ALongNameStaysOverItsPanel) {
  const std::vector<CalibrationLine> lines = {{"features", true, kBins}};
  const std::string svg =
      calibration_svg({{"a", "night-1", lines}, {"b", std::string(40, 'n'), lines}});
  EXPECT_EQ(count(svg, "style=\"font-size:12.0px\">night-1<"), 1);
  EXPECT_EQ(count(svg, "style=\"font-size:9.3px\">nnn"), 1) << "264 px of text in 204 px";
}

TEST(CalibrationPlot, AFifthPanelBeginsAnotherRow) {
  const CalibrationPanel panel{"gate head", "", {{"features", true, kBins}}};
  const std::string four = calibration_svg(std::vector(4, panel));
  const std::string five = calibration_svg(std::vector(5, panel));
  EXPECT_EQ(count(four, ">share that was so</text>"), 1);
  EXPECT_EQ(count(five, ">share that was so</text>"), 2);
  const std::string width = four.substr(four.find(" width="), 12);
  EXPECT_NE(five.find(width), std::string::npos);
  EXPECT_EQ(fault_of(five), "");
}

TEST(CalibrationPlot, TheTestDetectsXmlThatIsNotWellFormed) {
  for (const char* text :
       {"<g>", "<g></h>", "<g>a & b</g>", "<g>a < b</g>", "<g a=\"<\"></g>", "x<g/>"})
    EXPECT_NE(fault_of(text), "") << text;
  EXPECT_EQ(fault_of("<g a=\"1\"><h/>text</g>"), "");
}

}  // namespace
}  // namespace polyphon
