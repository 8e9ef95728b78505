#include "text/answer_extraction.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "base/utf8.h"

namespace polyphon {
namespace {

struct AnswerRow {
  int line;
  std::string text;
  std::string expected;
};

std::vector<AnswerRow> read_answers() {
  const auto path = std::filesystem::path(__FILE__).parent_path() / "testdata" / "answers.txt";
  std::ifstream file(path);
  std::vector<AnswerRow> rows;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const size_t tab = line.find('\t');
    if (line.starts_with("# ") || tab == std::string::npos) continue;
    std::string text = line.substr(0, tab);
    for (size_t at = text.find("\\n"); at != std::string::npos; at = text.find("\\n", at))
      text.replace(at, 2, 1, '\n');
    rows.push_back({number, text, line.substr(tab + 1)});
  }
  return rows;
}

TEST(AnswerExtractionTest, ReadsTheTable) {
  const std::vector<AnswerRow> rows = read_answers();
  ASSERT_GT(rows.size(), 40u);
  for (const AnswerRow& row : rows)
    EXPECT_EQ(normalise_answer(extract_answer(row.text)), row.expected)
        << "answers.txt:" << row.line << ": " << row.text << " -> " << extract_answer(row.text);
}

TEST(AnswerExtractionTest, KeepsTheAnswerAsWritten) {
  EXPECT_EQ(extract_answer("The answer is 1,000."), "1,000");
  EXPECT_EQ(extract_answer("\\boxed{ \\frac{1}{2} }"), "\\frac{1}{2}");
}

TEST(AnswerExtractionTest, NormalisesSpellingsOfOneAnswerAlike) {
  const std::vector<std::vector<std::string>> alike = {
      {"1000", "1,000", "$1,000.00", "1000 dollars", "+1000", " 1000. ", "**1000**", "x = 1000"},
      {"3", "3.0", "3.", "3%", "\\(3\\)", "3 apples", "3^\\circ", "3 cm."},
      {"-5", "\u22125", "-5.0", "-5 degrees"},
      {"1/2", "\\frac{1}{2}", "\\dfrac{1}{2}"},
      {"0.5", ".5", "0.50"},
      {"0", "-0", "0.0"},
      {"b", "(B)", "B", "B)", "(B) Paris", "option B"},
      {"yes", "Yes.", "YES!"},
      {"paris", "Paris", "\"Paris\"", "\\text{Paris}", "“Paris”"}};
  for (const auto& answers : alike)
    for (const std::string& answer : answers)
      EXPECT_EQ(normalise_answer(answer), answers[0]) << answer;
}

TEST(AnswerExtractionTest, KeepsDifferentAnswersApart) {
  EXPECT_EQ(normalise_answer("2 million"), "2 million");
  EXPECT_EQ(normalise_answer("3x"), "3x");
  EXPECT_EQ(normalise_answer("5 + 3"), "5 + 3");
  EXPECT_EQ(normalise_answer("1,2,3"), "1,2,3");
  EXPECT_EQ(normalise_answer("1.2.0"), "1.2.0");
  EXPECT_EQ(normalise_answer("100"), "100");
  EXPECT_EQ(normalise_answer(""), "");
  EXPECT_EQ(normalise_answer(" ?! "), "");
}

// Model output can be anything: tries random sequences of the fragments that the parsers look for.
TEST(AnswerExtractionTest, TakesAnyText) {
  const std::vector<std::string> fragments = {
      "\\boxed{", "}",       "answer", " is",     ":",     "=",   "$",    "12",   "-",  ".",
      ",",        "(",       "A",      ")",       "#### ", "\n",  "\n\n", " ",    "**", "\"",
      "é",        "\\frac{", "}{",     "\\text{", "yes",   "1. ", "%",    "to be"};
  std::mt19937 random(11);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (size_t i = random() % 40; i > 0; --i) text += fragments[random() % fragments.size()];
    const std::string normal = normalise_answer(extract_answer(text));
    EXPECT_TRUE(is_valid_utf8(normal)) << text;
    const std::string conclusion = conclusion_of(text);
    EXPECT_LE(conclusion.size(), 400u);
    EXPECT_TRUE(is_valid_utf8(conclusion)) << text;
    EXPECT_EQ(conclusion.empty(), text.find_first_not_of(" \n") == std::string::npos) << text;
    EXPECT_NE(text.find(conclusion), std::string::npos);
  }
}

TEST(ConclusionTest, IsTheLastParagraph) {
  EXPECT_EQ(conclusion_of("First I add.\n\nSo the sum is 7. The answer is 7.\n"),
            "So the sum is 7. The answer is 7.");
  EXPECT_EQ(conclusion_of("Short."), "Short.");
  EXPECT_EQ(conclusion_of(" \n "), "");
}

TEST(ConclusionTest, GoesBackToWhereTheAnswerIsStated) {
  const std::string conclusion =
      conclusion_of("I add.\n\nThe answer is 7.\n\nI hope this helps you a lot!");
  EXPECT_TRUE(conclusion.starts_with("The answer is 7.")) << conclusion;
}

TEST(ConclusionTest, StatesTheAnswerWithinItsLength) {
  std::string filler;
  for (int i = 0; i < 40; ++i) filler += "Here is some more talk that leads nowhere. ";
  for (const std::string& text :
       {filler + "The answer is 7.", "The answer is 7. " + filler, filler + "\n\nThe answer is 7.",
        "Since " + std::string(900, 'x') + " the answer is 7."}) {
    const std::string conclusion = conclusion_of(text);
    EXPECT_LE(conclusion.size(), 400u);
    EXPECT_EQ(extract_answer(conclusion), "7") << conclusion;
  }
}

TEST(ConclusionTest, CutsBetweenCharacters) {
  std::string text = "x";
  for (int i = 0; i < 500; ++i) text += "é";
  EXPECT_TRUE(is_valid_utf8(conclusion_of(text)));
  EXPECT_GT(conclusion_of(text).size(), 390u);
}

}  // namespace
}  // namespace polyphon
