// What heads are worth on problems that they were not fitted to, as JSON and as a table. No torch.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"

namespace polyphon {

// One way to score examples, in their order.
struct HeadArm {
  std::string name;
  std::vector<double> probabilities;
  std::vector<double> ranking = {};  // where the order is another's; empty: the probabilities
};

struct LabelledExamples {
  std::vector<int> labels;      // 0 or 1
  std::vector<double> weights;  // of the loss
  std::vector<int> problems;    // intervals are by problem
  // As in HeadExamples; all empty, or of one length with the others.
  std::vector<int> groups = {};
  std::vector<double> visits = {}, targets = {}, elsewhere = {};
};

// An object an arm, {"head", "arm", "loss", "calibration"} and these, all intervals of 95 % by
// problem: "auc"; "auc_within" over pairs of one problem; "auc_choice" over pairs of one group;
// "choice_loss" where there is a choice to learn from; "brier"; and "auc_gain", "auc_within_gain",
// "auc_choice_gain", what the first arm has over this one, paired.
std::vector<Json> report_labels(const char* head, const LabelledExamples& examples,
                                const std::vector<HeadArm>& arms);

// "auc" and "average_precision" over examples that weigh something, "precision", "recall" and
// "rate" of what p > 0.5 promotes of them; "effect", the mean one of what p > 0.5 promotes of all
// examples; "auc_gain", "average_precision_gain" and "effect_gain" of the first arm. The last arm
// is "constant", which promotes by chance as often as the first one does.
std::vector<Json> report_gate(const LabelledExamples& examples, const std::vector<double>& effects,
                              const std::vector<HeadArm>& arms);

// Weighted mean of -log p of what was so: the loss without its decay. 0 when nothing weighs
// anything.
double mean_log_loss(const std::vector<double>& probabilities, const LabelledExamples& examples);

// choice_loss() of head_model.h; 0 when there is no choice to learn from.
double mean_choice_loss(const std::vector<double>& probabilities, const LabelledExamples& examples);

// Markdown: a row an arm, a column an interval.
std::string to_table(const std::vector<Json>& lines);

}  // namespace polyphon
