// From recorded sessions with outcomes to what the heads learn from. Hidden states are the
// trainer's own: a forward pass over the whole trace, with the mask that its views imply.
#pragma once

#include <map>
#include <string>

#include "data/rollouts.h"
#include "head_trainer/read_model.h"
#include "head_trainer/search_examples.h"
#include "head_trainer/topology_model.h"
#include "model/vocabulary.h"
#include "tensors/base_weights.h"
#include "tensors/head_model.h"

namespace polyphon {

struct HeadData {
  // Ends of thought steps. Of a stream's, the label is: was it right in the end? Groups are the
  // steps of the same number in one session. Of a searched branch's: did it come to the right
  // answer when it was played out? Groups are siblings.
  HeadExamples value;
  torch::Tensor logprobs;  // [n, 2]: mean of the step, mean of all that its line had said
  // Promotions with a counterfactual; the label: did they help? The weight: by how much.
  HeadExamples gate;
  torch::Tensor effects;  // [n]: share of right streams with the promotion, less that without it
  // Sentences of sessions of recall; the label: is its fact asked for later?
  HeadExamples write;
  ReadExamples read;          // looks of the read head in such sessions
  TopologyExamples topology;  // of problems that were played with several topologies
  // What the examples come from, and what was left out: {"traces", "problems", "unlike_before":
  // counterfactuals that had come apart before the promotion, "searches": with outcomes,
  // "recall_sessions", and "lost_facts": looks for what no node holds any more, which are left
  // out}; head_traces.h adds more.
  Json found = Json::object();
};

class HeadDataBuilder {
 public:
  // All must outlive this.
  HeadDataBuilder(const BaseWeights& weights, const Lora& lora, const Vocabulary& vocabulary)
      : weights_(weights), lora_(lora), vocabulary_(vocabulary) {}

  // Of a session of recall memory's examples, of one that was played for the topology head an
  // example of that, of another one those of gate and value head. Throws Error{kInvalidArgument}
  // when the trace contradicts itself or its outcome; nothing of it is then kept.
  void add(const Trace& trace, const Outcome& outcome);
  // All that was added; the builder is empty then.
  HeadData take();

 private:
  struct Rows {
    std::vector<torch::Tensor> features, hidden;
    std::vector<float> labels, weights, figures;
    std::vector<int64_t> problems;
    std::vector<ChoiceRow> choices;

    // In no group, until the caller says so.
    ChoiceRow& add(const torch::Tensor& its_features, const torch::Tensor& state, bool label,
                   double weight, std::initializer_list<double> its_figures);
    void append(const Rows& more, int64_t problem);
    HeadExamples examples(int64_t features_count, int64_t hidden_size) const;
  };
  class OneTrace;
  void add_play(const Trace& trace, const Outcome& outcome);
  void add_recall(const Trace& trace, const Outcome& outcome);
  void add_topology(const Trace& trace, bool right);
  int64_t problem_number(const Tokens& prompt);
  // What one trace adds. Groups are numbered from 0.
  struct Found {
    Rows value, gate;
    int64_t groups = 0;
    int unlike_before = 0, searches = 0;
  };
  static void add_steps(const OneTrace& computed, const Outcome& outcome, Found& found);
  static void add_searches(const OneTrace& computed, const Outcome& outcome, Found& found);
  static void add_promotions(const OneTrace& computed, const Outcome& outcome, Found& found);

  const BaseWeights& weights_;
  const Lora& lora_;
  const Vocabulary& vocabulary_;
  std::map<Tokens, int64_t> problems_;  // by prompt: what is asked twice is one problem
  Rows value_, gate_, write_;
  std::vector<ReadSession> reads_;
  TopologyRows topologies_;
  std::map<int64_t, torch::Tensor> prompt_states_;  // of those problems
  int64_t groups_ = 0;                              // of value's examples
  int traces_ = 0, unlike_before_ = 0, searches_ = 0, recall_sessions_ = 0, lost_facts_ = 0;
};

}  // namespace polyphon
