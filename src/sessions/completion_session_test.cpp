#include "sessions/completion_session.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/clock_for_test.h"
#include "model/fake_language_model.h"
#include "sessions/reasoner.h"

namespace polyphon {
namespace {

class CompletionTest : public ::testing::Test {
 protected:
  void start(FakeDecoder::Script script = {}) {
    auto model = std::make_unique<FakeLanguageModel>(FakeDecoder::Options{}, std::move(script));
    auto engine = std::make_unique<Engine>(model->make_fake_decoder(), EngineOptions{}, kClock);
    reasoner_ = std::make_unique<Reasoner>(std::move(model), std::move(engine), ReasonOptions{},
                                           Reasoner::Identity{"v1", "digest", "hash"});
  }

  CompletionRequest request(int max_tokens) const {
    CompletionRequest request;
    request.prompt = reasoner_->model().vocabulary().tokenize("one prompt", false, false);
    request.sampling.seed = 7;
    request.max_tokens = max_tokens;
    return request;
  }

  struct Answer {
    std::string text, finish_reason;
  };
  std::vector<Answer> complete(CompletionRequest request) {
    std::vector<Answer> answers(static_cast<size_t>(request.choices));
    SessionTicket ticket = reasoner_->complete(std::move(request), {});
    result_ = wait_finished(ticket, [&](const SessionEvent& event) {
      if (const auto* delta = std::get_if<AnswerDelta>(&event))
        answers.at(static_cast<size_t>(delta->choice)).text += delta->text;
      if (const auto* end = std::get_if<ChoiceEnded>(&event))
        answers.at(static_cast<size_t>(end->choice)).finish_reason = name_of(end->finish_reason);
    });
    return answers;
  }

  std::unique_ptr<Reasoner> reasoner_;
  Finished result_;
};

TEST_F(CompletionTest, APromptThatCannotFitIsRefusedBeforeItIsTokenized) {
  start();
  // The context has 4,096 cells and the longest token 12 bytes.
  EXPECT_EQ(reasoner_->tokenize_prompt(std::string(49'000, 'x'), true, "prompt").size(), 49'000u);
  try {
    reasoner_->tokenize_prompt(std::string(60'000, 'x'), true, "prompt");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(error.field(), "prompt");
    EXPECT_NE(std::string(error.what()).find("the context holds 4096"), std::string::npos)
        << error.what();
  }
}

TEST_F(CompletionTest, ChoicesShareThePromptAndDifferInTheirSeeds) {
  start([](const FakeRow&, std::span<float> logits) {
    for (int c = 'a'; c <= 'z'; ++c) logits[static_cast<size_t>(c)] = 20;
  });
  CompletionRequest three = request(40);
  three.choices = 3;
  const auto answers = complete(three);
  EXPECT_NE(answers[0].text, answers[1].text);
  EXPECT_NE(answers[1].text, answers[2].text);
  for (const Answer& answer : answers) EXPECT_EQ(answer.finish_reason, "length");
  EXPECT_EQ(result_.usage.prompt_tokens, 10);
  EXPECT_EQ(result_.usage.completion_tokens, 120);
  // The first choice equals the answer of a request for a single choice.
  EXPECT_EQ(complete(request(40))[0].text, answers[0].text);
}

TEST_F(CompletionTest, AStopStringEndsTheTextBeforeIt) {
  start();
  const std::string whole = complete(request(30))[0].text;
  CompletionRequest stopped = request(30);
  stopped.stop = {whole.substr(10, 3)};
  const Answer answer = complete(stopped)[0];
  EXPECT_EQ(answer.text, whole.substr(0, whole.find(stopped.stop[0])));
  EXPECT_EQ(answer.finish_reason, "stop");
}

TEST_F(CompletionTest, AGrammarThatAllowsNoMoreEndsTheText) {
  start();
  CompletionRequest constrained = request(30);
  constrained.grammar.gbnf = "two digits";
  // The grammar also allows the end, which may come first.
  constrained.sampling.logit_bias = {{FakeTokens::kEnd, -100.0f}};
  const Answer answer = complete(constrained)[0];
  EXPECT_EQ(answer.text.size(), 2u);
  EXPECT_EQ(answer.finish_reason, "stop");
  EXPECT_EQ(result_.usage.completion_tokens, 2);
}

TEST_F(CompletionTest, NonFiniteLogitsFailOnlyTheirOwnRequest) {
  start([](const FakeRow& row, std::span<float> logits) {
    const bool poisoned = row.visible.front() == 'X';
    for (float& logit : logits) logit = poisoned ? NAN : 0;
    if (!poisoned) logits['a'] = 50;
  });
  CompletionRequest broken = request(10);
  broken.prompt[0] = 'X';
  SessionTicket sound = reasoner_->complete(request(200), {});
  try {
    complete(broken);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_NE(std::string(error.what()).find("finite"), std::string::npos) << error.what();
  }
  EXPECT_EQ(wait_finished(sound, [](const SessionEvent&) {}).usage.completion_tokens, 200);
}

}  // namespace
}  // namespace polyphon
