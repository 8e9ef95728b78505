#include "search/trace_steps.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/clock_for_test.h"
#include "model/fake_language_model.h"
#include "sessions/reasoner.h"

namespace polyphon {
namespace {

// At every token there is one alternative, e times less likely.
const double kLogprob = -std::log1p(std::exp(-1)), kEntropy = -kLogprob + 1 / (1 + std::exp(1));

// Streams recite a fixed text; their preambles, 'A' and 'B', say which one.
const std::map<Token, std::string> kTexts = {
    {'A', "The answer is 7."}, {'B', "I add and I add: the answer is 7. I add.\nIt is so. "}};

void recite(const FakeRow& row, std::span<float> logits) {
  const auto preamble = std::find_if(row.visible.rbegin(), row.visible.rend(),
                                     [](Token token) { return kTexts.contains(token); });
  Token next = FakeTokens::kTurnEnd;
  if (preamble != row.visible.rend()) {
    const std::string& text = kTexts.at(*preamble);
    const auto said = static_cast<size_t>(preamble - row.visible.rbegin());
    if (said < text.size()) next = static_cast<unsigned char>(text[said]);
  }
  logits[static_cast<size_t>(next)] = 50;
  logits['z'] = 49;
}

class TraceStepsTest : public ::testing::Test {
 protected:
  TraceStepsTest() {
    FakeDecoder::Options sizes;
    sizes.capacity_cells = 1 << 14;
    auto model = std::make_unique<FakeLanguageModel>(sizes, recite);
    auto engine = std::make_unique<Engine>(model->make_fake_decoder(), EngineOptions{}, kClock);
    ReasonOptions options;
    options.agreement.enabled = options.collapse.enabled = false;
    options.strategies = {{"a", "A"}, {"b", "B"}};
    reasoner_ = std::make_unique<Reasoner>(std::move(model), std::move(engine), options,
                                           Reasoner::Identity{"v1", "digest", "hash"});
  }

  Trace think(SearchMode search) {
    ThinkInput input;
    input.chat.messages = {{{"role", "user"}, {"content", "How many?"}}};
    input.topology = parse_topology("2x120");
    input.sampling.temperature = 0;
    input.max_answer_tokens = 4;
    input.search.mode = search;
    SessionTicket ticket = reasoner_->think(input, {});
    return *wait_finished(ticket).trace;
  }

  std::vector<TraceStep> steps_of(const Trace& trace) const {
    std::vector<std::vector<float>> entropies;
    for (const TraceSpan& span : trace.spans)
      entropies.emplace_back(span.tokens.size(), static_cast<float>(kEntropy));
    return thought_steps(trace, reasoner_->model().vocabulary(), entropies);
  }

  std::unique_ptr<Reasoner> reasoner_;
};

TEST_F(TraceStepsTest, AreSentencesAndLinesWithTheirLastToken) {
  const Trace trace = think(SearchMode::kOff);
  std::vector<std::string> texts;
  for (const TraceStep& step : steps_of(trace)) {
    const TraceSpan& span = trace.spans[static_cast<size_t>(step.span)];
    EXPECT_EQ(to_string(span.owner), "stream " + std::to_string(step.stream));
    const auto end = static_cast<size_t>(step.index) + 1;
    texts.push_back(reasoner_->model().vocabulary().detokenize(
        std::span(span.tokens).first(end).last(std::min<size_t>(end, 6)), false));
    EXPECT_NEAR(step.mean_logprob, kLogprob, 1e-5);
    EXPECT_NEAR(step.line_mean_logprob, kLogprob, 1e-5);
    EXPECT_NEAR(step.features.confidence, std::exp(kLogprob), 1e-5);
    EXPECT_NEAR(step.features.line_confidence, std::exp(kLogprob), 1e-5);
    EXPECT_EQ(step.number, static_cast<int>(texts.size()) - 1) << "only stream 1 has steps";
    EXPECT_NEAR(step.features.certainty, std::exp(-kEntropy), 1e-5);
    EXPECT_NEAR(step.features.room, 1 - static_cast<double>(end) / 120, 1e-9);
  }
  // "The answer is 7." is no step: after a digit and a point, the number may continue.
  EXPECT_EQ(texts, (std::vector<std::string>{"I add.", "is so."}));
}

// The end of stream 1's first step starts a search. The search decision holds the features that the
// value head read.
TEST_F(TraceStepsTest, HaveTheFeaturesOfTheSearchDecision) {
  Trace trace = think(SearchMode::kAlways);
  const auto search = std::find_if(
      trace.decisions.begin(), trace.decisions.end(),
      [](const TraceDecision& each) { return std::holds_alternative<SearchDecision>(each.what); });
  ASSERT_NE(search, trace.decisions.end());
  const auto seen = std::get<SearchDecision>(search->what).features.values();
  EXPECT_TRUE(steps_of(trace).empty()) << "also the step that started the search is left out";

  // In the session the stream's last token waits for the branches; here it belongs to the stream.
  const Step step = search->step;
  std::erase_if(trace.spans, [&](const TraceSpan& span) {
    return to_string(span.owner) == "stream 1" && span.steps.front() >= step;
  });
  for (TraceSpan& span : trace.spans) {
    span.id = static_cast<int>(&span - trace.spans.data());
    if (to_string(span.owner) != "stream 1") continue;
    span.tokens.push_back('.');
    span.steps.push_back(step);
    span.logprobs.push_back(static_cast<float>(kLogprob));
  }
  trace.decisions.erase(search);
  const ValueFeatures features = steps_of(trace).back().features;
  const auto found = features.values();
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], seen[i], 1e-5) << i;
  EXPECT_EQ(features.conclusion, 1);
  EXPECT_EQ(features.agreement, 1) << "agrees with stream 0, which has ended";
  EXPECT_GT(features.repetition, 0);
}

}  // namespace
}  // namespace polyphon
