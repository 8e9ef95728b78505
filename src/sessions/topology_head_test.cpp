// The topology head computed by hand, its correction of what the model states, and both in a
// session.
#include "heads/topology_head.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/clock_for_test.h"
#include "model/fake_language_model.h"
#include "record/codec.h"
#include "sessions/finished_for_test.h"
#include "sessions/plan.h"
#include "sessions/reasoner.h"

namespace polyphon {
namespace {

TEST(TopologyFeatures, DescribeTheShape) {
  const TopologyFeatures one = topology_features(parse_topology("1x1024"), 128);
  EXPECT_DOUBLE_EQ(one.length, 1);
  EXPECT_DOUBLE_EQ(one.shortness, 1.0 / 32);
  EXPECT_EQ(one.width, 0);
  EXPECT_EQ(one.before, 0);
  EXPECT_EQ(one.prompt, 0);
  const TopologyFeatures hybrid = topology_features(parse_topology("7x16>2x16>8x64"), 1024);
  EXPECT_DOUBLE_EQ(hybrid.length, -1.0 / 3);
  EXPECT_DOUBLE_EQ(hybrid.shortness, 0.5);
  EXPECT_DOUBLE_EQ(hybrid.width, 1);
  EXPECT_DOUBLE_EQ(hybrid.before, 1);
  EXPECT_DOUBLE_EQ(hybrid.prompt, 1);
  EXPECT_DOUBLE_EQ(hybrid.prompt_short, 0.5);
  EXPECT_EQ(topology_features(parse_topology("8x7"), 60).shortness, 1);
  EXPECT_TRUE(std::isfinite(topology_features(parse_topology("1x1"), 0).prompt));
}

TEST(TopologyHead, IsALinearFunctionOfFeaturesAndOfStateTimesShape) {
  TopologyHead head;
  EXPECT_FALSE(head.is_trained());
  head.weights = {0.5f, 1, -2, 3, -1, 0.25f, 2};
  EXPECT_TRUE(head.is_trained());
  const TopologyFeatures features{0.5, 0.25, 1, 0.75, -0.5, -0.25};
  const double plain = 0.5 + 0.5 - 0.5 + 3 - 0.75 - 0.125 - 0.5;
  const std::vector<float> hidden = {2, -1};
  EXPECT_DOUBLE_EQ(topology_log_odds(head, features, hidden), plain);
  head.hidden_weights = {1, 1, 0, 2, -1, 0, 0.5f, 0.5f};
  const double of_state = 1 * (2 - 1) + 0.25 * (-2) + 1 * (-2) + 0.75 * (1 - 0.5);
  EXPECT_DOUBLE_EQ(topology_log_odds(head, features, hidden), plain + of_state);
  EXPECT_DOUBLE_EQ(topology_log_odds(head, features, {}), plain);
}

const std::vector<Topology> kChoices = {parse_topology("1x512"), parse_topology("4x128"),
                                        parse_topology("8x64")};

// A head whose log-odds are `wide` times the width.
TopologyHead liking_width(float wide) {
  TopologyHead head;
  head.weights = {0, 0, 0, wide, 0, 0, 0};
  return head;
}

TEST(TopologyCorrection, TheStatementStaysUnlessAnotherIsBetterByTheMargin) {
  const Topology& stated = kChoices[1];  // its width is 2/3; the widest choice has 1/3 more
  const auto chosen = [&](float wide) {
    return correct_topology(liking_width(wide), kChoices, &stated, 60, {}).chosen;
  };
  EXPECT_EQ(chosen(0), 1u);
  EXPECT_EQ(chosen(static_cast<float>(2.9 * kCorrectionMargin)), 1u);
  EXPECT_EQ(chosen(static_cast<float>(3.1 * kCorrectionMargin)), 2u);
  EXPECT_EQ(chosen(-1), 0u);
}

TEST(TopologyCorrection, WithoutAStatementTheBestIsTakenAndOfEqualOnesTheFirst) {
  EXPECT_EQ(correct_topology(liking_width(0.01f), kChoices, nullptr, 60, {}).chosen, 2u);
  EXPECT_EQ(correct_topology(liking_width(0), kChoices, nullptr, 60, {}).chosen, 0u);
}

TEST(TopologyCorrection, ThePromptsStateMayPreferOneOverAnother) {
  TopologyHead head = liking_width(0);
  head.hidden_weights = {0, 0, 0, 0, 1, -1, 0, 0};  // the row of the width
  const auto chosen = [&](std::vector<float> hidden) {
    return correct_topology(head, kChoices, &kChoices[1], 60, hidden).chosen;
  };
  EXPECT_EQ(chosen({2, 0}), 2u);
  EXPECT_EQ(chosen({0, 2}), 0u);
  EXPECT_EQ(chosen({1, 1}), 1u);
}

TEST(TopologyCorrection, SaysWhatItPredicts) {
  const auto corrected = correct_topology(liking_width(3), kChoices, &kChoices[0], 60, {});
  ASSERT_EQ(corrected.probabilities.size(), 3u);
  EXPECT_EQ(corrected.probabilities[0], 0.5);
  EXPECT_NEAR(corrected.probabilities[2], 1 / (1 + std::exp(-3.0)), 1e-12);
}

// The fake model states `says_` when asked for a topology: the plan instruction is the only text
// that ends like this and mentions a topology.
class PlannedSession : public ::testing::Test {
 protected:
  PlannedSession() {
    auto model = std::make_unique<FakeLanguageModel>(
        FakeDecoder::Options{}, [this](const FakeRow& row, std::span<float> logits) {
          const std::string seen(row.visible.begin(), row.visible.end());
          const size_t asked = seen.rfind("Answer with one of");
          const size_t turn = asked == std::string::npos ? asked : seen.find("assistant\n", asked);
          if (turn == std::string::npos) {
            logits['a' + seen.size() % 26] = 50;
            return;
          }
          const size_t said = seen.size() - (turn + std::string("assistant\n").size());
          logits[said < says_.size() ? static_cast<size_t>(says_[said])
                                     : static_cast<size_t>(FakeTokens::kTurnEnd)] = 50;
        });
    ReasonOptions options;
    options.collapse.enabled = options.agreement.enabled = false;
    options.caps.auto_budget_tokens = 128;
    auto engine = std::make_unique<Engine>(model->make_fake_decoder(), EngineOptions{}, kClock);
    reasoner_ = std::make_unique<Reasoner>(std::move(model), std::move(engine), options,
                                           Reasoner::Identity{"v1", "digest", "hash"});
  }

  FinishedForTest think(const std::string& topology = "auto") {
    ThinkInput input;
    input.chat.messages = {{{"role", "user"}, {"content", "How many?"}}};
    input.topology = parse_topology(topology);
    input.max_answer_tokens = 4;
    SessionTicket ticket = reasoner_->think(input, {});
    return wait_finished(ticket);
  }
  void use(const TopologyHead& head) {
    Heads heads;
    heads.topology = head;
    reasoner_->swap_heads(heads);
  }
  static std::vector<std::string> owners(const Trace& trace) {
    std::vector<std::string> owners;
    for (const TraceSpan& span : trace.spans) owners.push_back(to_string(span.owner));
    return owners;
  }
  // The plan decision and the result.
  static Json told(const FinishedForTest& finished) {
    Json json = to_json(finished.trace->result);
    for (const char* each : {"trace_id", "timings", "version"}) json.erase(each);
    return json;
  }

  std::string says_ = "2x64";
  std::unique_ptr<Reasoner> reasoner_;
};

TEST_F(PlannedSession, WithoutATrainedHeadTheStatementStandsAndNothingElseIsDecoded) {
  const FinishedForTest planned = think();
  EXPECT_EQ(planned.polyphon.at("topology"), "2x64");
  EXPECT_EQ(to_json(planned.trace->decisions.at(0))["detail"],
            (Json{{"said", "2x64"}, {"topology", "2x64"}}));
  EXPECT_FALSE(planned.polyphon.contains("plan"));
  for (const std::string& owner : owners(*planned.trace)) EXPECT_NE(owner, "plan state");
  use({});
  const FinishedForTest again = think();
  EXPECT_EQ(told(again), told(planned));
  const TraceComparison compared = compare_traces(*planned.trace, *again.trace);
  EXPECT_EQ(compared.matching, compared.tokens) << compared.first_difference;
}

TEST_F(PlannedSession, ATrainedHeadCorrectsItAndSaysWhy) {
  use(liking_width(3));
  const FinishedForTest planned = think();
  EXPECT_EQ(planned.polyphon.at("topology"), "4x32");
  const Json& plan = planned.polyphon.at("plan");
  EXPECT_EQ(plan, to_json(planned.trace->decisions.at(0))["detail"]);
  EXPECT_EQ(plan.at("said"), "2x64");
  EXPECT_EQ(plan.at("stated"), "2x64");
  EXPECT_EQ(plan.at("topology"), "4x32");
  EXPECT_EQ(plan.at("predicted").size(), auto_topologies(128, PlanCaps{}).size());
  EXPECT_EQ(planned.polyphon.at("streams").size(), 4u);
  EXPECT_FALSE(think("2x8").polyphon.contains("plan")) << "an explicit topology is not planned";
}

TEST_F(PlannedSession, AHeadWithoutPreferenceKeepsTheStatement) {
  use(liking_width(0));
  const FinishedForTest planned = think();
  EXPECT_EQ(planned.polyphon.at("topology"), "2x64");
  EXPECT_EQ(planned.polyphon.at("plan").at("topology"), "2x64");
}

TEST_F(PlannedSession, AnInvalidStatementBecomesTheLastChoiceAndMayBeCorrected) {
  says_ = "0x0";
  EXPECT_EQ(think().polyphon.at("topology"), "4x32");
  use(liking_width(-3));
  const Json plan = think().polyphon.at("plan");
  EXPECT_EQ(plan.at("said"), "0x0");
  EXPECT_EQ(plan.at("stated"), "4x32");
  EXPECT_EQ(plan.at("topology"), "1x128");
}

// The head reads the state of the prompt's last token, in a view of the prompt alone.
TEST_F(PlannedSession, TheHeadSeesThePromptsState) {
  TopologyHead head = liking_width(0);
  head.hidden_weights.assign(TopologyFeatures::kStateTerms * 4, 0.0f);
  for (size_t i = 0; i < 4; ++i) head.hidden_weights[i] = static_cast<float>(1 << i);
  use(head);
  const FinishedForTest first = think();
  const Trace& trace = *first.trace;
  const TraceSpan* state = nullptr;
  for (const TraceSpan& span : trace.spans)
    if (to_string(span.owner) == "plan state" && !span.tokens.empty()) state = &span;
  ASSERT_NE(state, nullptr);
  const auto& prompt = trace.spans.at(0).tokens;
  EXPECT_EQ(state->tokens, Tokens{prompt.back()});
  EXPECT_EQ(state->begin, static_cast<Position>(prompt.size()) - 1);
  const double p = first.polyphon.at("plan").at("predicted")[0].at("p").get<double>();
  EXPECT_GT(std::abs(p - 0.5), 1e-3);
  says_ = "1x128";
  EXPECT_EQ(think().polyphon.at("plan").at("predicted")[0].at("p"), p)
      << "independent of what the model states";
}

TEST_F(PlannedSession, IsReplayedWithItsCorrection) {
  TopologyHead head = liking_width(3);
  head.hidden_weights.assign(TopologyFeatures::kStateTerms * 4, 0.25f);
  use(head);
  const Trace stored = trace_from_json(Json::parse(to_json(*think().trace).dump()));
  SessionTicket ticket = reasoner_->replay(stored, {});
  const FinishedForTest again = wait_finished(ticket);
  const TraceComparison compared = compare_traces(stored, *again.trace);
  EXPECT_EQ(compared.matching, compared.tokens) << compared.first_difference;
  EXPECT_EQ(again.polyphon.at("plan"), to_json(stored.decisions.at(0))["detail"]);
}

}  // namespace
}  // namespace polyphon
