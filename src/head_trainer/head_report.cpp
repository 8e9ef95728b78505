#include "head_trainer/head_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <type_traits>

#include "tasks/classification.h"
#include "tasks/statistics.h"

namespace polyphon {
namespace {

constexpr int kCalibrationBins = 10;
constexpr double kThreshold = 0.5;

// Rows of one arm.
struct Sample {
  LabelledExamples examples;
  std::vector<double> probabilities, ranking, effects;
  std::vector<double> choice_losses;

  Sample of_rows(std::span<const size_t> rows) const {
    const auto pick = [&](const auto& from) {
      std::decay_t<decltype(from)> picked;
      if (!from.empty())
        for (const size_t row : rows) picked.push_back(from[row]);
      return picked;
    };
    const LabelledExamples& of = examples;
    return {{pick(of.labels), pick(of.weights), pick(of.problems), pick(of.groups), pick(of.visits),
             pick(of.targets), pick(of.elsewhere)},
            pick(probabilities),
            pick(ranking),
            pick(effects),
            pick(choice_losses)};
  }
};

// By row, -log of the share of its group that the head and the visits give it; 0 in no group that
// is learnt from. A group is whole here, and its rows weigh as much when it is drawn twice.
std::vector<double> choice_losses(const std::vector<double>& probabilities,
                                  const LabelledExamples& examples) {
  std::vector<double> losses(examples.elsewhere.size());
  std::map<int, double> sums;
  const auto odds = [&](size_t row) {
    const double p = std::clamp(probabilities[row], 1e-12, 1 - 1e-12);
    return examples.visits[row] * p / (1 - p);
  };
  for (const bool summed : {false, true})
    for (size_t row = 0; row < losses.size(); ++row) {
      if (examples.elsewhere[row] == 0) continue;
      double& sum = sums[examples.groups[row]];
      if (summed)
        losses[row] = -std::log(odds(row) / sum);
      else
        sum += odds(row);
    }
  return losses;
}

double mean_choice_loss_of(const LabelledExamples& examples, const std::vector<double>& losses) {
  double loss = 0, weight = 0;
  for (size_t row = 0; row < losses.size(); ++row) {
    const double its_weight = examples.elsewhere[row] * examples.targets[row];
    loss += its_weight * losses[row];
    weight += its_weight;
  }
  return weight > 0 ? loss / weight : 0;
}

using Statistic = std::function<double(const Sample&)>;

class Evaluation {
 public:
  // `effects` may be empty.
  Evaluation(const LabelledExamples& examples, const std::vector<double>& effects)
      : examples_(examples), effects_(effects) {}

  Json of(const HeadArm& arm, const Statistic& statistic) const {
    const Sample all = sample_of(arm);
    return interval([&](std::span<const size_t> rows) { return statistic(all.of_rows(rows)); });
  }
  // What the first has over the second, on the same problems.
  Json gain(const HeadArm& first, const HeadArm& second, const Statistic& statistic) const {
    const Sample all = sample_of(first), others = sample_of(second);
    return interval([&](std::span<const size_t> rows) {
      return statistic(all.of_rows(rows)) - statistic(others.of_rows(rows));
    });
  }

 private:
  Json interval(const std::function<double(std::span<const size_t>)>& statistic) const {
    return to_json(bootstrap_groups(examples_.problems, statistic));
  }
  Sample sample_of(const HeadArm& arm) const {
    return {examples_, arm.probabilities, arm.ranking.empty() ? arm.probabilities : arm.ranking,
            effects_, choice_losses(arm.probabilities, examples_)};
  }

  const LabelledExamples& examples_;
  const std::vector<double>& effects_;
};

double log_loss(const Sample& sample) {
  return mean_log_loss(sample.probabilities, sample.examples);
}
double auc(const Sample& sample) { return roc_auc(sample.ranking, sample.examples.labels); }
double auc_within(const Sample& sample) {
  return roc_auc_within(sample.ranking, sample.examples.labels, sample.examples.problems);
}
double auc_choice(const Sample& sample) {
  return roc_auc_within(sample.ranking, sample.examples.labels, sample.examples.groups);
}
double choice_loss(const Sample& sample) {
  return mean_choice_loss_of(sample.examples, sample.choice_losses);
}
double brier(const Sample& sample) {
  return brier_score(sample.probabilities, sample.examples.labels);
}

// Scores and labels of what weighs something: a promotion without an effect was neither right nor
// wrong.
struct Counted {
  std::vector<double> scores;
  std::vector<int> labels;
};
Counted where_it_counts(const std::vector<double>& scores, const LabelledExamples& examples) {
  Counted counted;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (examples.weights[i] == 0) continue;
    counted.scores.push_back(scores[i]);
    counted.labels.push_back(examples.labels[i]);
  }
  return counted;
}
double average_precision_of(const Sample& sample) {
  const Counted counted = where_it_counts(sample.ranking, sample.examples);
  return average_precision(counted.scores, counted.labels);
}
double auc_where_it_counts(const Sample& sample) {
  const Counted counted = where_it_counts(sample.ranking, sample.examples);
  return roc_auc(counted.scores, counted.labels);
}
Statistic chosen(double PrecisionRecall::* member) {
  return [member](const Sample& sample) {
    const Counted counted = where_it_counts(sample.probabilities, sample.examples);
    return precision_recall(counted.scores, counted.labels, kThreshold).*member;
  };
}
double effect_of_chosen(const Sample& sample) {
  double sum = 0;
  int count = 0;
  for (size_t i = 0; i < sample.effects.size(); ++i) {
    if (sample.probabilities[i] <= kThreshold) continue;
    sum += sample.effects[i];
    ++count;
  }
  return count == 0 ? 0 : sum / count;
}

Json line_of(const char* head, const HeadArm& arm, const Evaluation& evaluation,
             const LabelledExamples& examples) {
  const Counted counted = where_it_counts(arm.probabilities, examples);
  Json bins = Json::array();
  for (const CalibrationBin& bin : calibration(counted.scores, counted.labels, kCalibrationBins))
    bins.push_back(
        {{"count", bin.count}, {"predicted", bin.predicted}, {"observed", bin.observed}});
  return {{"head", head},
          {"arm", arm.name},
          {"loss", evaluation.of(arm, log_loss)},
          {"calibration", std::move(bins)}};
}

// A constant probability is above the threshold for all examples or for none: what it promotes is a
// share of them by chance, so precision is that of all, and so is the mean effect.
Json constant_line(const HeadArm& first, const Evaluation& evaluation) {
  const HeadArm all{"constant", std::vector<double>(first.probabilities.size(), 1)};
  const Json rate = evaluation.of(first, chosen(&PrecisionRecall::rate));
  return {{"head", "gate"},
          {"arm", all.name},
          {"average_precision", evaluation.of(all, average_precision_of)},
          {"precision", evaluation.of(all, chosen(&PrecisionRecall::precision))},
          {"recall", rate},
          {"rate", rate},
          {"effect", evaluation.of(all, effect_of_chosen)},
          {"average_precision_gain", evaluation.gain(first, all, average_precision_of)},
          {"effect_gain", evaluation.gain(first, all, effect_of_chosen)}};
}

}  // namespace

double mean_log_loss(const std::vector<double>& probabilities, const LabelledExamples& examples) {
  double loss = 0, weight = 0;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const double p = examples.labels[i] == 1 ? probabilities[i] : 1 - probabilities[i];
    loss -= examples.weights[i] * std::log(std::max(p, 1e-12));
    weight += examples.weights[i];
  }
  return weight > 0 ? loss / weight : 0;
}

double mean_choice_loss(const std::vector<double>& probabilities,
                        const LabelledExamples& examples) {
  return mean_choice_loss_of(examples, choice_losses(probabilities, examples));
}

std::vector<Json> report_labels(const char* head, const LabelledExamples& examples,
                                const std::vector<HeadArm>& arms) {
  const std::vector<double> none;
  const Evaluation evaluation(examples, none);
  const bool has_groups = std::any_of(examples.groups.begin(), examples.groups.end(),
                                      [](int group) { return group >= 0; });
  const bool has_choices = std::any_of(examples.elsewhere.begin(), examples.elsewhere.end(),
                                       [](double weight) { return weight > 0; });
  std::vector<Json> lines;
  for (const HeadArm& arm : arms) {
    Json line = line_of(head, arm, evaluation, examples);
    line["auc"] = evaluation.of(arm, auc);
    line["auc_within"] = evaluation.of(arm, auc_within);
    if (has_groups) line["auc_choice"] = evaluation.of(arm, auc_choice);
    if (has_choices) line["choice_loss"] = evaluation.of(arm, choice_loss);
    line["brier"] = evaluation.of(arm, brier);
    if (&arm != &arms.front()) {
      line["auc_gain"] = evaluation.gain(arms.front(), arm, auc);
      line["auc_within_gain"] = evaluation.gain(arms.front(), arm, auc_within);
      if (has_groups) line["auc_choice_gain"] = evaluation.gain(arms.front(), arm, auc_choice);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<Json> report_gate(const LabelledExamples& examples, const std::vector<double>& effects,
                              const std::vector<HeadArm>& arms) {
  const Evaluation evaluation(examples, effects);
  std::vector<Json> lines;
  for (const HeadArm& arm : arms) {
    Json line = line_of("gate", arm, evaluation, examples);
    line["auc"] = evaluation.of(arm, auc_where_it_counts);
    line["average_precision"] = evaluation.of(arm, average_precision_of);
    line["precision"] = evaluation.of(arm, chosen(&PrecisionRecall::precision));
    line["recall"] = evaluation.of(arm, chosen(&PrecisionRecall::recall));
    line["rate"] = evaluation.of(arm, chosen(&PrecisionRecall::rate));
    line["effect"] = evaluation.of(arm, effect_of_chosen);
    if (&arm != &arms.front()) {
      line["auc_gain"] = evaluation.gain(arms.front(), arm, auc_where_it_counts);
      line["average_precision_gain"] = evaluation.gain(arms.front(), arm, average_precision_of);
      line["effect_gain"] = evaluation.gain(arms.front(), arm, effect_of_chosen);
    }
    lines.push_back(std::move(line));
  }
  if (!arms.empty()) lines.push_back(constant_line(arms.front(), evaluation));
  return lines;
}

std::string to_table(const std::vector<Json>& lines) {
  std::vector<std::string> columns;
  for (const Json& line : lines)
    for (const auto& [name, value] : line.items())
      if (value.is_object() && std::find(columns.begin(), columns.end(), name) == columns.end())
        columns.push_back(name);
  std::string text = "| arm |", rule = "\n|---|";
  for (const std::string& column : columns) {
    text += fmt::format(" {} |", column);
    rule += "---:|";
  }
  text += rule + "\n";
  for (const Json& line : lines) {
    text += fmt::format("| {} |", line.at("arm").get<std::string>());
    for (const std::string& column : columns) {
      const Json value = line.value(column, Json());
      text +=
          value.is_null() ? " |" : fmt::format(" {} |", figure(interval_from_json(value), false));
    }
    text += "\n";
  }
  return text;
}

}  // namespace polyphon
