// What the engine's heads said in recorded sessions of a real model, against what they say of the
// features and states that the trainer makes of the traces.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "head_trainer/head_examples.h"
#include "memory/trace_memory.h"
#include "model/real_model_for_test.h"
#include "selfplay/recall_rollouts.h"
#include "selfplay/selfplay_options.h"
#include "sessions/reasoner.h"
#include "tasks/family.h"

namespace polyphon {
namespace {

double log_odds(double p) { return std::log(p / (1 - p)); }

// What a session's memory was asked, and the examples that the trainer makes of it.
struct RecallSession {
  Trace trace;
  TraceMemory memory;
  HeadData data;
};

// Its heads weigh the state as much as a trained one's.
class HeadParity : public testing::Test {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    auto model = load_language_model({.path = real_model_path()});
    hidden_size_ = model->info().hidden_size;
    DecoderOptions sizes;
    sizes.context_cells = recall_cells({}, {});
    sizes.threads = 1;
    auto engine = std::make_unique<Engine>(model->make_decoder(sizes), EngineOptions{}, clock_);
    ReasonOptions options;
    options.caps.auto_budget_tokens = 64;
    reasoner_ = std::make_unique<Reasoner>(std::move(model), std::move(engine), options,
                                           Reasoner::Identity{"v1", "digest", "hash"});
    heads_.topology.weights = {0.1f, 0.2f, -0.3f, 0.4f, 0.5f, -0.6f, 0.7f};
    heads_.topology.hidden_weights = random_weights(TopologyFeatures::kStateTerms);
    heads_.gate.hidden_weights = random_weights(1);
    heads_.value.hidden_weights = random_weights(1);
    heads_.memory.write.hidden_weights = random_weights(1);
    read_.terms = torch::tensor({0.4f, 0.6f});
    read_.scale = torch::ones({hidden_size_});
    read_.left = 80 * random_rows(hidden_size_, 8);
    read_.right = random_rows(hidden_size_, 8);
    heads_.memory.read = to_read(read_);
    reasoner_->swap_heads(heads_);
    weights_ = load_base_weights(WeightFile(real_model_path()), Precision::kFloat);
    lora_ = std::make_unique<Lora>(weights_.shape, LoraConfig{}, 1);
    builder_ = std::make_unique<HeadDataBuilder>(weights_, *lora_, reasoner_->model().vocabulary());
  }

  torch::Tensor random_rows(int rows, int columns) {
    return torch::empty({rows, columns}).normal_(0, 1, random_);
  }
  std::vector<float> random_weights(int rows) {
    return numbers_of<float>(0.01 * random_rows(rows, hidden_size_));
  }

  Finished think(const ThinkInput& input) {
    SessionTicket ticket = reasoner_->think(input, {});
    return wait_finished(ticket);
  }

  RecallSession recall_session();

  // Scores, or log-odds; `state`: what of `expected` is the state's.
  void compare(double recorded, double expected, double state, const std::string& what) {
    EXPECT_NEAR(recorded, expected, 0.05) << what;
    state_says_ = std::max(state_says_, std::abs(state));
    ++compared_;
  }
  // Of rows `from` and on of the examples; `recorded`: probabilities.
  template <typename Head>
  void compare(const HeadExamples& examples, int64_t from, const std::vector<double>& recorded,
               const Head& head) {
    ASSERT_EQ(examples.count(), from + static_cast<int64_t>(recorded.size()));
    for (size_t i = 0; i < recorded.size(); ++i) {
      const int64_t row = from + static_cast<int64_t>(i);
      const double of_state =
          (examples.hidden[row] * torch::tensor(head.hidden_weights)).sum().template item<double>();
      double expected = head.bias + of_state;
      for (size_t j = 0; j < head.weights.size(); ++j)
        expected += head.weights[j] *
                    examples.features[row][static_cast<int64_t>(j)].template item<double>();
      compare(log_odds(recorded[i]), expected, of_state,
              "row " + std::to_string(row) + ", of the state " + std::to_string(of_state));
    }
  }
  void TearDown() override {
    EXPECT_GT(compared_, 1);
    EXPECT_GT(state_says_, 0.3) << "the comparison means something";
  }

  const SteadyClock clock_;
  int hidden_size_ = 0;
  at::Generator random_ = at::make_generator<at::CPUGeneratorImpl>(5);
  Heads heads_;
  ReadWeights read_;
  std::unique_ptr<Reasoner> reasoner_;
  BaseWeights weights_;
  std::unique_ptr<Lora> lora_;
  std::unique_ptr<HeadDataBuilder> builder_;
  double state_says_ = 0;
  int compared_ = 0;
};

using parityRealModel = HeadParity;  // NOLINT(readability-identifier-naming): what ctest calls them

TEST_F(parityRealModel, OfTheTopologyHead) {
  ThinkInput input;
  input.chat.messages = {{{"role", "user"}, {"content", "What is 3 times 4?"}}};
  input.max_answer_tokens = 2;
  input.topology = {};  // the model states one
  const Finished planned = think(input);
  const auto& predicted = planned.trace->result.plan.value().predicted;

  Trace trace = *planned.trace;
  Outcome outcome{{"f", 1}, 5, {}};
  outcome.answer_right = true;
  for (const PredictedTopology& each : predicted) {
    trace.request.topology = each.topology;
    builder_->add(trace, outcome);
  }
  const HeadExamples found = builder_->take().topology.each;
  ASSERT_EQ(found.count(), static_cast<int64_t>(predicted.size()));
  const auto prompt_tokens = static_cast<int>(trace.request.prompt.size());
  TopologyHead of_shape = heads_.topology;
  of_shape.hidden_weights.clear();
  for (size_t i = 0; i < predicted.size(); ++i) {
    const auto features = topology_features(predicted[i].topology, prompt_tokens);
    const double expected = topology_log_odds(
        heads_.topology, features, numbers_of<float>(found.hidden[static_cast<int64_t>(i)]));
    compare(log_odds(predicted[i].p), expected,
            expected - topology_log_odds(of_shape, features, {}),
            predicted[i].topology.to_string());
  }
}

TEST_F(parityRealModel, OfTheGate) {
  SelfPlayOptions options;
  options.counterfactuals.registers = 2;
  options.counterfactuals.most_threshold = 0;
  const Problem problem = make_problem(family("chain_sum"), 2, 5);
  Trace trace = *think(self_play_input(problem, options, 0)).trace;
  Outcome outcome{{"chain_sum", 2}, 5, std::vector<bool>(8, true)};
  std::vector<double> recorded;
  for (const Broadcast& promotion : trace.result.workspace) {
    outcome.counterfactuals.push_back({promotion.promotion, true, std::vector<bool>(8, false)});
    recorded.push_back(promotion.p);
  }
  builder_->add(trace, outcome);
  compare(builder_->take().gate, 0, recorded, heads_.gate);
}

TEST_F(parityRealModel, OfTheValueHead) {
  SelfPlayOptions options;
  options.streams = 2;
  options.search.mode = SearchMode::kAlways;
  const Problem problem = make_problem(family("chain_sum"), 2, 5);
  Trace trace = *think(self_play_input(problem, options, 0)).trace;
  Outcome outcome{{"chain_sum", 2}, 5, {true, false}};
  outcome.trees = tree_outcomes(problem, trace.result);
  std::vector<double> recorded;
  for (const SearchResult& search : trace.result.search->searches)
    for (const TreeOutcome& tree : outcome.trees)
      if (tree.stream == search.stream && tree.search == search.search)
        for (const SearchExample& example : search_examples(search, tree))
          for (const SearchNode& node : search.tree)
            if (node.id == example.node) recorded.push_back(node.value);
  builder_->add(trace, outcome);
  const HeadExamples found = builder_->take().value;
  const int64_t steps = found.count() - static_cast<int64_t>(recorded.size());
  ASSERT_GT(recorded.size(), 8u);
  compare(found, steps, recorded, heads_.value);
}

RecallSession HeadParity::recall_session() {
  RecallPlayOptions options;
  options.streams = 4;
  const RecallPlay play = make_recall_play(reasoner_->model().vocabulary(), options, 5);
  ThinkInput input = recall_input(play, {});
  input.memory.top_k = 8;
  input.memory.read_threshold = 0;
  Trace trace = *think(input).trace;
  Outcome outcome{{"recall", 1}, 5, {}};
  for (const RecallQuestionAt& question : play.questions) outcome.asked.push_back(question.asked);
  builder_->add(trace, outcome);
  TraceMemory memory = memory_of(trace);
  return {std::move(trace), std::move(memory), builder_->take()};
}

TEST_F(parityRealModel, OfTheWriteHead) {
  const RecallSession session = recall_session();
  std::vector<double> recorded;
  for (const TraceDecision& decision : session.trace.decisions)
    if (const auto* considered = std::get_if<MemoryConsideration>(&decision.what))
      recorded.push_back(considered->p);
  ASSERT_GT(recorded.size(), 12u);
  compare(session.data.write, 0, recorded, heads_.memory.write);
}

// Of the nodes that a look chose, before scores spread over edges.
TEST_F(parityRealModel, OfTheReadHead) {
  const RecallSession session = recall_session();
  const ReadExamples& examples = session.data.read;
  ASSERT_EQ(session.data.found.at("lost_facts"), 0) << "each look is among the examples";
  const torch::Tensor scores = read_scores(read_, examples);
  const auto& nodes = session.memory.nodes;
  int64_t look = 0;
  for (const TraceDecision& decision : session.trace.decisions) {
    const auto* recall = std::get_if<MemoryRecall>(&decision.what);
    if (!recall) continue;
    for (const RecalledNode& chosen : recall->nodes) {
      const auto is_chosen = [&](const TraceNode& node) { return node.id == chosen.node; };
      const auto node = std::find_if(nodes.begin(), nodes.end(), is_chosen) - nodes.begin();
      const double score = scores[0][look][node].item<double>();
      const double of_words =
          heads_.memory.read.lexical_weight * examples.lexical[0][look][node].item<double>();
      compare(chosen.direct, score, score - of_words,
              "look " + std::to_string(look) + ": " + chosen.text);
    }
    ++look;
  }
  EXPECT_EQ(look, static_cast<int64_t>(session.memory.reads.size()));
}

}  // namespace
}  // namespace polyphon
