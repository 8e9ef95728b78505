#include "tasks/recall_script.h"

#include <gtest/gtest.h>

#include <set>

#include "base/clock.h"
#include "model/fake_language_model.h"
#include "model/real_model_for_test.h"
#include "reason/memory_markers.h"
#include "reason/reasoner.h"

namespace polyphon {
namespace {

const SteadyClock kClock;

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

struct Outcome {
  int exact = 0;
  Step written = 0, asked = 0;  // the first fact's marker, the first recall
};

// One fact behind 30 tokens of other text, asked for 2000 tokens later with a window of 256.
Outcome recall_one(bool with_memory) {
  auto model = load_language_model({.path = real_model_path()});
  DecoderOptions sizes;
  sizes.context_cells = 4096;
  sizes.threads = 1;  // one row a step
  const Vocabulary& vocabulary = model->vocabulary();
  const RecallScript script = make_recall_script(vocabulary, 1, 30, 2000, 11);
  auto engine = std::make_unique<Engine>(model->make_decoder(sizes), EngineOptions{}, kClock);
  Reasoner reasoner(std::move(model), std::move(engine), {}, {});
  ThinkInput input;
  input.chat.messages = {{{"role", "user"}, {"content", "Take notes, then answer from them."}}};
  input.topology = recall_topology(script);
  input.sampling.temperature = input.answer_sampling.temperature = 0;
  input.max_answer_tokens = 1;
  input.ignore_eos = true;
  input.scripts = recall_scripts(script);
  input.memory.enabled = true;
  input.memory.window_tokens = 256;
  input.memory.cadence_tokens = 0;
  input.memory.write_threshold = 1;
  input.memory.max_recalls = with_memory ? 8 : 0;
  SessionTicket ticket = reasoner.think(input, {});
  const Finished result = wait_finished(ticket);
  Outcome outcome;
  const auto answers = recall_answers(*result.trace, script, vocabulary);
  outcome.exact = is_exact_recall(answers[0], script.questions[0].expected);
  for (const TraceDecision& decision : result.trace->decisions) {
    if (decision.kind == "memory_write" && outcome.written == 0) outcome.written = decision.step;
    if (decision.kind == "memory_recall") outcome.asked = decision.step;
  }
  return outcome;
}

TEST(MemoryRealModel, AFactOfStepFiftyIsUsedThousandsOfTokensLater) {
  const Outcome with = recall_one(true), without = recall_one(false);
  EXPECT_EQ(with.exact, 1);
  EXPECT_EQ(without.exact, 0);
  EXPECT_LT(with.written, 80);
  EXPECT_GT(with.asked, with.written + 2000);
}

}  // namespace
}  // namespace polyphon
