#include "head_trainer/head_examples.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/error.h"
#include "memory/trace_memory.h"
#include "record/trace_layout.h"
#include "search/trace_steps.h"
#include "selfplay/recall_rollouts.h"
#include "sessions/promoting_session_for_test.h"
#include "tensors/tiny_weights_for_test.h"
#include "tensors/transformer.h"

namespace polyphon {
namespace {

using torch::Tensor;

class HeadExamplesTest : public ::testing::Test {
 protected:
  HeadExamplesTest()
      : weights_(tiny_weights({.vocabulary_size = FakeTokens::kCount}, Precision::kFloat)),
        lora_(weights_.shape, {}, 1),
        reasoner_(babbling_reasoner()) {}

  Trace think(const std::string& question, const SearchRequest& search = {}) {
    return promoting_session(*reasoner_, question, search);
  }

  HeadDataBuilder builder() const { return {weights_, lora_, reasoner_->model().vocabulary()}; }

  Tensor states_of(const TraceLayout& layout) const {
    const torch::NoGradGuard guard;
    return forward(weights_, lora_,
                   {layout.tokens, layout.positions, {{0, layout.rows(), layout.visibility}}}, {});
  }

  const BaseWeights weights_;
  const Lora lora_;
  const std::unique_ptr<Reasoner> reasoner_;
  const Outcome outcome_{{"f", 1},
                         5,
                         {true, false, true},
                         {{0, true, {false, false, true}},
                          {1, true, {true, true, true}},
                          {2, false, {false, false, false}}}};
};

TEST_F(HeadExamplesTest, LabelPromotionsByTheirCounterfactuals) {
  HeadDataBuilder builder = this->builder();
  const Trace trace = think("How many?");
  builder.add(trace, outcome_);
  const HeadData data = builder.take();
  ASSERT_EQ(data.gate.count(), 2);
  EXPECT_EQ(data.found.at("unlike_before"), 1);
  EXPECT_TRUE(data.gate.labels.equal(torch::tensor({1.0f, 0.0f})));
  EXPECT_TRUE(data.effects.allclose(torch::tensor({1.0f / 3, -1.0f / 3})));
  EXPECT_TRUE(data.gate.weights.allclose(torch::tensor({1.0f / 3, 1.0f / 3})));

  const TraceLayout layout = lay_out(trace, reasoner_->model().vocabulary().anchor());
  const Tensor states = states_of(layout);
  std::vector<GateCandidate> winners;
  for (const TraceDecision& decision : trace.decisions)
    if (const auto* gate = std::get_if<GateDecision>(&decision.what); gate && gate->promoted)
      winners.push_back(gate->candidates.at(0));
  ASSERT_GE(winners.size(), 2u);
  for (int64_t i = 0; i < 2; ++i) {
    const GateCandidate& winner = winners[static_cast<size_t>(i)];
    int column = 0;
    for (const double value : winner.features.values())
      EXPECT_NEAR(data.gate.features[i][column++].item<double>(), value, 1e-6);
    // The note's last token stands before `end`; its state is that of the token before it.
    const auto span =
        std::find_if(trace.spans.begin(), trace.spans.end(), [&](const TraceSpan& each) {
          const auto size = static_cast<Position>(each.tokens.size());
          return each.sequence == winner.sequence && each.begin + size == winner.end;
        });
    ASSERT_NE(span, trace.spans.end());
    EXPECT_EQ(span->owner.kind, SpanKind::kNote);
    const auto& rows = layout.row_of[static_cast<size_t>(span->id)];
    EXPECT_TRUE(data.gate.hidden[i].equal(states[rows[rows.size() - 2]]));
  }
}

TEST_F(HeadExamplesTest, LabelStepsByTheirStreams) {
  HeadDataBuilder builder = this->builder();
  const Trace first = think("How many?"), other = think("How much?");
  builder.add(first, outcome_);
  builder.add(other, outcome_);
  builder.add(first, outcome_);
  const HeadData data = builder.take();
  // By the trainer, of every token's distribution.
  const TraceLayout layout = lay_out(first, reasoner_->model().vocabulary().anchor());
  const Tensor logprobs = logits(weights_, states_of(layout)).log_softmax(1);
  const Tensor all = -(logprobs.exp() * logprobs).sum(1);
  std::vector<std::vector<float>> entropies;
  for (const auto& rows : layout.row_of) {
    std::vector<float>& of_span = entropies.emplace_back();
    for (const int row : rows) {
      const int from = layout.predictors[static_cast<size_t>(row)];
      of_span.push_back(from < 0 ? 0 : all[from].item<float>());
    }
  }
  const auto steps = thought_steps(first, reasoner_->model().vocabulary(), entropies);
  ASSERT_GT(steps.size(), 6u);
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    EXPECT_EQ(data.value.labels[row].item<float>(), steps[i].stream == 1 ? 0 : 1);
    EXPECT_NEAR(data.logprobs[row][0].item<double>(), steps[i].mean_logprob, 1e-6);
    int64_t column = 0;
    for (const double value : steps[i].features.values())
      EXPECT_NEAR(data.value.features[row][column++].item<double>(), value, 1e-5);
    EXPECT_GT(data.value.hidden[row].abs().sum().item<double>(), 0);
  }
  EXPECT_EQ(data.found.at("problems"), 2) << "the prompt that comes twice is one";
  EXPECT_EQ(data.value.problems[data.value.count() - 1].item<int64_t>(), 0);
  // Steps of one number in one session are one group.
  std::map<int, std::set<int64_t>> groups;
  for (size_t i = 0; i < steps.size(); ++i)
    groups[steps[i].number].insert(data.value.groups[static_cast<int64_t>(i)].item<int64_t>());
  EXPECT_GT(groups.size(), 1u);
  for (const auto& [number, of_number] : groups) EXPECT_EQ(of_number.size(), 1u) << number;
  EXPECT_EQ(data.value.elsewhere.sum().item<double>(), 0) << "no search";
}

TEST_F(HeadExamplesTest, LabelTheStatesOfSearchesByWhatWasPlayedOut) {
  SearchRequest search;
  search.mode = SearchMode::kAlways;
  search.simulations = 6;
  search.step_tokens = 8;
  search.max_stream_searches = 1;
  const Trace trace = think("How many?", search);
  Outcome outcome = outcome_;
  outcome.counterfactuals.clear();
  std::vector<const SearchNode*> nodes;
  for (const SearchResult& searched : trace.result.search->searches) {
    TreeOutcome& tree = outcome.trees.emplace_back();
    tree.stream = searched.stream;
    tree.search = searched.search;
    for (const SearchNode& node : searched.tree) {
      if (node.id == 0 || node.same_as) continue;
      tree.nodes.push_back(node.id);
      tree.right.push_back(tree.nodes.size() % 2 == 0);
      nodes.push_back(&node);
    }
  }
  ASSERT_GT(nodes.size(), 6u);
  HeadDataBuilder builder = this->builder();
  builder.add(trace, outcome);
  const HeadData data = builder.take();
  EXPECT_EQ(data.found.at("searches"), outcome.trees.size());
  const int64_t first = data.value.count() - static_cast<int64_t>(nodes.size());
  ASSERT_GE(first, 0);
  const TraceLayout layout = lay_out(trace, reasoner_->model().vocabulary().anchor());
  const Tensor states = states_of(layout);
  int64_t row = first;
  for (const TreeOutcome& tree : outcome.trees)
    for (size_t i = 0; i < tree.nodes.size(); ++i, ++row) {
      const SearchNode& node = *nodes[static_cast<size_t>(row - first)];
      EXPECT_EQ(data.value.labels[row].item<float>(), tree.right[i] ? 1 : 0);
      EXPECT_EQ(data.value.visits[row].item<double>(), node.visits);
      EXPECT_NEAR(data.value.features[row][6].item<double>(), node.features->line_confidence, 1e-6);
      EXPECT_NEAR(data.logprobs[row][0].item<double>(), node.mean_logprob, 1e-6);
      const auto owner =
          SpanOwner::of_search(SpanKind::kBranch, tree.stream, tree.search, tree.nodes[i]);
      const auto span = std::find_if(trace.spans.rbegin(), trace.spans.rend(),
                                     [&](const TraceSpan& each) { return each.owner == owner; });
      ASSERT_NE(span, trace.spans.rend());
      const int last = layout.row_of[static_cast<size_t>(span->id)].back();
      EXPECT_TRUE(data.value.hidden[row].equal(states[last]));
    }
  outcome.trees.pop_back();
  EXPECT_THROW(builder.add(trace, outcome), Error);
}

TEST_F(HeadExamplesTest, LabelMemoryByWhatIsAskedLater) {
  RecallPlayOptions options;
  options.streams = 3;
  options.facts = options.questions = 2;
  options.people = 1;
  const RecallPlay play = make_recall_play(reasoner_->model().vocabulary(), options, 4);
  SessionTicket ticket = reasoner_->think(recall_input(play, {}), {});
  const Trace trace = *wait_finished(ticket).trace;
  Outcome outcome{{"recall", 1}, 4, {}};
  for (const RecallQuestionAt& question : play.questions) outcome.asked.push_back(question.asked);
  HeadDataBuilder builder = this->builder();
  builder.add(trace, outcome);
  builder.add(trace, outcome);
  const HeadData data = builder.take();
  EXPECT_EQ(data.value.count() + data.gate.count(), 0);
  EXPECT_EQ(data.found.at("recall_sessions"), 2);
  EXPECT_EQ(data.found.at("lost_facts"), 0);

  int facts = 0;
  for (const AskedFact& asked : outcome.asked) facts += asked.fact.empty() ? 0 : 1;
  const TraceMemory memory = memory_of(trace);
  ASSERT_EQ(data.write.count(), 2 * static_cast<int64_t>(memory.sentences.size()));
  EXPECT_EQ(data.write.labels.sum().item<double>(), 2 * facts);
  EXPECT_EQ(data.write.problems.max().item<int64_t>(), 1);

  ASSERT_EQ(data.read.sessions(), 2);
  const int64_t nodes = data.read.lexical.size(2);
  EXPECT_EQ(nodes, static_cast<int64_t>(memory.nodes.size()));
  EXPECT_EQ(data.read.wanted[0].lt(nodes).sum().item<int64_t>(), facts);
  for (size_t look = 0; look < memory.reads.size(); ++look) {
    const auto wanted = data.read.wanted[0][static_cast<int64_t>(look)].item<int64_t>();
    if (wanted == nodes) continue;
    const std::string& fact = memory.nodes[static_cast<size_t>(wanted)].text;
    EXPECT_TRUE(std::any_of(outcome.asked.begin(), outcome.asked.end(), [&](const auto& asked) {
      return asked.fact == fact && asks(memory.reads[look].query, asked);
    })) << fact;
  }

  // A node's key is the state at its sentence's point, where the token after it was sampled.
  const TraceLayout layout = lay_out(trace, reasoner_->model().vocabulary().anchor());
  const Tensor states = states_of(layout);
  const TraceNode& node = memory.nodes.front();
  for (const TraceSpan& span : trace.spans) {
    if (to_string(span.owner) != "stream " + std::to_string(node.at.stream)) continue;
    const std::string said(span.tokens.begin(), span.tokens.end());
    const size_t point = said.find(node.text) + node.text.size() - 1;
    const Tensor state = states[layout.row_of[static_cast<size_t>(span.id)][point]];
    EXPECT_TRUE(data.read.keys[0][0].allclose(state / state.norm(), 1e-4, 1e-5));
    break;
  }
}

TEST_F(HeadExamplesTest, LabelTopologiesByTheirAnswers) {
  const auto play = [&](const std::string& question, const std::string& topology) {
    ThinkInput input;
    input.chat.messages = {{{"role", "user"}, {"content", question}}};
    input.topology = parse_topology(topology);
    input.merge = MergeMode::kVote;
    input.max_answer_tokens = 2;
    SessionTicket ticket = reasoner_->think(input, {});
    return *wait_finished(ticket).trace;
  };
  const auto outcome = [](bool right) {
    Outcome outcome{{"f", 1}, 5, {}};
    outcome.answer_right = right;
    return outcome;
  };
  HeadDataBuilder builder = this->builder();
  const Trace plain = play("How many?", "2x8");
  builder.add(plain, outcome(true));
  builder.add(play("How many?", "1x16"), outcome(false));
  builder.add(play("How many?", "auto"), outcome(true));
  builder.add(play("How much?", "2x8"), outcome(false));
  Trace undecided = play("How many?", "auto");
  undecided.decisions.clear();
  EXPECT_THROW(builder.add(undecided, outcome(true)), Error);
  const HeadData data = builder.take();
  EXPECT_EQ(data.found.at("traces"), 4);
  EXPECT_EQ(data.value.count() + data.gate.count(), 0) << "one head's data only";
  const TopologyExamples& found = data.topology;
  EXPECT_EQ(found.names, (std::vector<std::string>{"1x16", "2x8"}));
  EXPECT_EQ(data.found.at("topologies"), Json(found.names));
  ASSERT_EQ(found.each.count(), 3) << "what was planned is no example";
  EXPECT_TRUE(found.each.labels.equal(torch::tensor({1.0f, 0.0f, 0.0f})));
  EXPECT_TRUE(found.each.problems.equal(torch::tensor({0, 0, 1}, torch::kLong)));

  // The state is that of the prompt's last token.
  const TraceLayout layout = lay_out(plain, reasoner_->model().vocabulary().anchor());
  const Tensor states = states_of(layout);
  EXPECT_TRUE(found.each.hidden[0].allclose(states[layout.row_of[0].back()], 1e-4, 1e-5));
  EXPECT_TRUE(found.each.hidden[1].equal(found.each.hidden[0]));
  EXPECT_FALSE(found.each.hidden[2].equal(found.each.hidden[0]));
}

TEST_F(HeadExamplesTest, KeepNothingOfATraceThatContradictsItself) {
  HeadDataBuilder builder = this->builder();
  const Trace trace = think("How many?");
  const auto refusal = [&](const Trace& wrong, const Outcome& outcome) {
    try {
      builder.add(wrong, outcome);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(trace.id), std::string::npos);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(refusal(trace, {{"f", 1}, 5, {true}}).find("another number of streams"),
            std::string::npos);
  Outcome beyond = outcome_;
  beyond.counterfactuals[1].promotion = 99;
  EXPECT_NE(refusal(trace, beyond), "");
  Trace undecided = trace;
  undecided.decisions.clear();
  EXPECT_NE(refusal(undecided, outcome_).find("but decided on 0"), std::string::npos);
  const HeadData data = builder.take();
  EXPECT_EQ(data.value.count() + data.gate.count(), 0);
  EXPECT_EQ(data.found.at("traces"), 0);
}

}  // namespace
}  // namespace polyphon
