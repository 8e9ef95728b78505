#include "app/think_view.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace polyphon {
namespace {

int columns_of(const std::string& line) {
  return static_cast<int>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::vector<StreamView> streams(int count) {
  std::vector<StreamView> result;
  for (int i = 0; i < count; ++i)
    result.push_back({i, "strategy", "one\ntwo " + std::string(60, 'x') + " Größe ✓ end", 7, ""});
  return result;
}

TEST(ThinkView, NeverExceedsTheScreen) {
  for (const int width : {20, 40, 80, 200})
    for (const int height : {6, 16, 50})
      for (const int count : {1, 3, 8, 64}) {
        const auto lines = layout_streams(streams(count), width, height);
        EXPECT_LE(static_cast<int>(lines.size()), height);
        for (const std::string& line : lines) EXPECT_LE(columns_of(line), width) << line;
      }
}

TEST(ThinkView, StandsStreamsSideBySideWithTheirLastWords) {
  const auto lines = layout_streams(streams(2), 80, 8);
  EXPECT_NE(lines[0].find("0 strategy · 7"), std::string::npos);
  EXPECT_NE(lines[0].find("1 strategy · 7"), std::string::npos);
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.find("end") != std::string::npos;
  }));
}

TEST(ThinkView, SaysHowAStreamEnded) {
  auto view = streams(1);
  view[0].finish_reason = "agreement";
  EXPECT_NE(layout_streams(view, 80, 6)[0].find("agreement"), std::string::npos);
}

TEST(ThinkView, ANarrowBoxStillSaysHowItEnded) {
  auto view = streams(3);
  view[2].strategy = "devils_advocate";
  view[2].finish_reason = "length";
  EXPECT_NE(layout_streams(view, 80, 6)[0].find("2 devils_ad · 7 · length"), std::string::npos);
}

TEST(ThinkView, BreaksBetweenWords) {
  auto view = streams(1);
  view[0].text = "alpha beta gamma delta\n\nomega";
  const auto lines = layout_streams(view, 24, 6);
  const auto line = [](const std::string& text) {
    return text + std::string(24 - text.size(), ' ');
  };
  EXPECT_EQ(lines[1], line("alpha beta gamma delta"));
  EXPECT_EQ(lines[2], line("omega"));
  view[0].text = "alpha beta gamma deltas omega";
  EXPECT_EQ(layout_streams(view, 24, 6)[1], line("alpha beta gamma deltas"));
  view[0].text = "alpha beta gamma deltoid";
  EXPECT_EQ(layout_streams(view, 20, 6)[1].substr(0, 16), "alpha beta gamma");
  EXPECT_EQ(layout_streams(view, 20, 6)[2].substr(0, 7), "deltoid");
}

TEST(ThinkView, ControlCharactersDoNotReachTheTerminal) {
  auto view = streams(1);
  view[0].text = "\x1b[2J\x07 evil";
  for (const std::string& line : layout_streams(view, 80, 6))
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
}

TEST(ThinkView, NothingIsNothing) { EXPECT_TRUE(layout_streams({}, 80, 24).empty()); }

}  // namespace
}  // namespace polyphon
