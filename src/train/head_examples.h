// From recorded sessions with outcomes to what the heads learn from. Hidden states are the
// trainer's own: a forward pass over the whole trace, with the mask that its views imply.
#pragma once

#include <map>
#include <string>

#include "model/vocabulary.h"
#include "pipeline/rollouts.h"
#include "train/base_weights.h"
#include "train/head_model.h"
#include "train/read_model.h"

namespace polyphon {

struct HeadData {
  // Ends of thought steps; the label: was the stream right in the end?
  HeadExamples value;
  torch::Tensor logprobs;  // [n, 2]: mean of the step, mean of all that the stream had said
  // Promotions with a counterfactual; the label: did they help? The weight: by how much.
  HeadExamples gate;
  torch::Tensor effects;  // [n]: share of right streams with the promotion, less that without it
  // Sentences of sessions of recall; the label: is its fact asked for later?
  HeadExamples write;
  ReadExamples read;  // looks of the read head in such sessions
  // What the examples come from, and what was left out: {"traces", "problems", "unlike_before":
  // counterfactuals that had come apart before the promotion, "searched": sessions with search,
  // whose steps are in no stream's own spans, "recall_sessions", and "lost_facts": looks for what
  // no node holds any more, which are left out}; head_traces.h adds more.
  Json found = Json::object();
};

class HeadDataBuilder {
 public:
  // All must outlive this.
  HeadDataBuilder(const BaseWeights& weights, const Lora& lora, const Vocabulary& vocabulary)
      : weights_(weights), lora_(lora), vocabulary_(vocabulary) {}

  // Of a session of recall memory's examples, of another one those of gate and value head. Throws
  // Error{kInvalidArgument} when the trace contradicts itself or its outcome; nothing of it
  // is then kept.
  void add(const Trace& trace, const Outcome& outcome);
  // All that was added; the builder is empty then.
  HeadData take();

 private:
  struct Rows {
    std::vector<torch::Tensor> features, hidden;
    std::vector<float> labels, weights, figures;
    std::vector<int64_t> problems;

    void add(const torch::Tensor& its_features, const torch::Tensor& state, bool label,
             double weight, std::initializer_list<double> its_figures);
    void append(const Rows& more, int64_t problem);
    HeadExamples examples(int64_t features_count, int64_t hidden_size) const;
  };
  class OneTrace;
  void add_play(const Trace& trace, const Outcome& outcome);
  void add_recall(const Trace& trace, const Outcome& outcome);

  const BaseWeights& weights_;
  const Lora& lora_;
  const Vocabulary& vocabulary_;
  std::map<Tokens, int64_t> problems_;  // by prompt: what is asked twice is one problem
  Rows value_, gate_, write_;
  std::vector<ReadSession> reads_;
  int traces_ = 0, unlike_before_ = 0, searched_ = 0, recall_sessions_ = 0, lost_facts_ = 0;
};

}  // namespace polyphon
