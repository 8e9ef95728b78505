#include "tasks/recall_script.h"

#include <gtest/gtest.h>

#include <set>

#include "model/fake_language_model.h"
#include "text/memory_markers.h"

namespace polyphon {
namespace {

TEST(RecallScript, AsksForEveryFactOnceAfterTheOtherText) {
  const FakeLanguageModel model;
  const RecallScript script = make_recall_script(model.vocabulary(), 40, 30, 500, 3);
  EXPECT_EQ(make_recall_script(model.vocabulary(), 40, 30, 500, 3).story, script.story);
  EXPECT_NE(make_recall_script(model.vocabulary(), 40, 30, 500, 4).story, script.story);
  EXPECT_GE(script.story.size(), script.last_fact_end + 500);
  MarkerScanner scanner;
  std::set<std::string> facts;
  for (Token token : script.story)
    if (const auto marker = scanner.push(std::string(1, static_cast<char>(token))))
      facts.insert(marker->text);
  ASSERT_EQ(facts.size(), 40u);
  EXPECT_EQ(recall_topology(script).phases[1].streams, 40);
  for (const RecallQuestion& question : script.questions) {
    EXPECT_TRUE(facts.contains("the code of the " + question.name + " is " + question.expected));
    const std::string asked = model.vocabulary().detokenize(question.tokens, false);
    EXPECT_EQ(asked, "[recall: code of the " + question.name +
                         "]My note was: [remember: the code of the " + question.name + " is");
  }
}

TEST(RecallScript, AnAnswerIsExactOnlyWithAllItsDigits) {
  EXPECT_TRUE(is_exact_recall(" 4417.\n", "4417"));
  EXPECT_TRUE(is_exact_recall("4417", "4417"));
  EXPECT_FALSE(is_exact_recall(" 44171", "4417"));
  EXPECT_FALSE(is_exact_recall(" 441", "4417"));
  EXPECT_FALSE(is_exact_recall(" about 4417", "4417"));
  EXPECT_FALSE(is_exact_recall("", "4417"));
}

}  // namespace
}  // namespace polyphon
