#include "head_trainer/train_heads.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <ostream>

#include "base/digest.h"
#include "base/error.h"
#include "base/replace_file.h"
#include "head_trainer/head_data_file.h"
#include "head_trainer/head_traces.h"
#include "head_trainer/head_trial.h"
#include "head_trainer/read_trial.h"
#include "head_trainer/topology_report.h"
#include "heads/heads.h"

namespace polyphon {
namespace {

using torch::Tensor;
using Start = HeadTrial::Start;

constexpr const char* kByFeatures = "features";
constexpr const char* kByState = "features and state";
constexpr const char* kUntrained = "untrained";
constexpr const char* kUnchanged = "what was there";

HeadData read_or_compute(const HeadTrainOptions& options, const std::string& digest,
                         const std::function<void(int)>& on_trace) {
  const std::string path = options.out_folder + "/head_data.gguf";
  const std::string key = head_data_key(options.traces, digest);
  if (auto data = read_head_data(path, key)) return std::move(*data);
  HeadData data = compute_head_data(options.traces, digest, on_trace);
  write_head_data(path, data, key);
  return data;
}

// What is known of the data, in figures.
Json describe(const HeadData& data) {
  Json found = data.found;
  found["steps"] = data.value.count();
  found["steps_right"] = data.value.count() > 0 ? data.value.labels.sum().item<double>() : 0;
  if (data.value.count() > 0) {
    const Tensor targets =
        data.value.targets * data.value.elsewhere.gt(0);  // of a choice, 1 in all
    const double choices = targets.sum().item<double>();
    found["choices"] = std::lround(choices);
    if (choices > 0)
      found["spent_elsewhere"] = (targets * data.value.elsewhere).sum().item<double>() / choices;
  }
  found["promotions"] = data.gate.count();
  const auto count = [&](const Tensor& chosen) { return chosen.sum().item<int64_t>(); };
  if (data.gate.count() > 0) {
    found["promotions_helped"] = count(data.effects.gt(0));
    found["promotions_harmed"] = count(data.effects.lt(0));
    found["mean_effect"] = data.effects.mean().item<double>();
  }
  if (data.write.count() > 0) {
    found["sentences"] = data.write.count();
    found["sentences_asked_for"] = count(data.write.labels.gt(0));
    found["looks"] = count(data.read.weights.gt(0));
    found["looks_that_want"] =
        count(data.read.wanted.lt(data.read.lexical.size(2)) & data.read.weights.gt(0));
  }
  if (data.topology.each.count() > 0) {
    const HeadExamples& each = data.topology.each;
    found["answers"] = each.count();
    found["answers_right"] = count(each.labels.gt(0));
    // Of a problem that some topologies have right and some wrong the targets are 1 in all.
    found["topologies_divide"] =
        std::lround((each.targets * each.elsewhere.gt(0)).sum().item<double>());
  }
  return {{"data", std::move(found)}};
}

template <typename Weights>
void describe_fit(const Fit<Weights>& fit, Json& line) {
  line["evaluations"] = fit.evaluations;
  line["loss_before"] = fit.loss_before;
  line["loss"] = fit.loss;
}

// The arms of one head, the one to write first.
struct Trained {
  std::vector<HeadArm> arms;
  HeadWeights weights;
  Json line;
};

// `start` takes examples with or without hidden states.
// The best has the least of `label_weight` times the labels' loss and the choices' as they weigh.
Trained train_head(const char* head, const HeadTrial& trial, const HeadExamples& examples,
                   const Start& start, double choice_weight, double label_weight = 1) {
  const HeadExamples plain = examples.without_hidden();
  Trained trained;
  trained.arms = {trial.fitted_without_each_part(kByState, examples, start),
                  trial.fitted_without_each_part(kByFeatures, plain, start),
                  trial.untrained(start)};
  const auto loss = [&](const HeadArm& arm) {
    return label_weight * mean_log_loss(arm.probabilities, trial.labelled()) +
           choice_weight * mean_choice_loss(arm.probabilities, trial.labelled());
  };
  const auto best =
      std::min_element(trained.arms.begin(), trained.arms.end(),
                       [&](const HeadArm& a, const HeadArm& b) { return loss(a) < loss(b); });
  std::rotate(trained.arms.begin(), best, best + 1);  // the others are measured against it
  const std::string& written = trained.arms.front().name;
  trained.line = {{"head", head}, {"written", written}};
  if (written == kUntrained) {
    trained.weights = start(plain);
    return trained;
  }
  const HeadFit fit = trial.fit_to_all(written == kByState ? examples : plain, start);
  trained.weights = fit.weights;
  describe_fit(fit, trained.line);
  return trained;
}

Json unchanged_line(const char* head) {
  return {{"head", head}, {"written", kUnchanged}, {"why", "too few problems with a label"}};
}

void append(std::vector<Json>& lines, std::vector<Json> more, Json last) {
  lines.insert(lines.end(), std::make_move_iterator(more.begin()),
               std::make_move_iterator(more.end()));
  lines.push_back(std::move(last));
}

void train_value(const HeadTrainOptions& options, const HeadData& data, ValueHead& head,
                 std::vector<Json>& lines) {
  const HeadTrial trial(data.value, options.trial);
  if (!trial.can_learn()) return lines.push_back(unchanged_line("value"));
  Trained trained =
      train_head("value", trial, data.value, starting_value, options.trial.fit.choice_weight);
  // Log-probabilities order steps as they are; only a regression makes probabilities of them.
  for (const auto& [column, name] :
       {std::pair(0, "log-probability of the step"), std::pair(1, "log-probability of the line")}) {
    HeadExamples alone = data.value.without_hidden();
    alone.features = data.logprobs.narrow(1, column, 1);
    trained.arms.push_back(trial.fitted_without_each_part(name, alone, starting_regression));
    trained.arms.back().ranking = numbers_of<double>(alone.features);
  }
  head = to_value(trained.weights);
  append(lines, report_labels("value", trial.labelled(), trained.arms), std::move(trained.line));
}

void train_gate(const HeadTrainOptions& options, const HeadData& data, GateHead& head,
                std::vector<Json>& lines) {
  const HeadTrial trial(data.gate, options.trial);
  if (!trial.can_learn()) return lines.push_back(unchanged_line("gate"));
  Trained trained = train_head("gate", trial, data.gate, starting_gate, 0);
  head = to_gate(trained.weights);
  append(lines, report_gate(trial.labelled(), numbers_of<double>(data.effects), trained.arms),
         std::move(trained.line));
}

void train_write(const HeadTrainOptions& options, const HeadData& data, WriteHead& head,
                 std::vector<Json>& lines) {
  const HeadTrial trial(data.write, options.trial);
  if (!trial.can_learn()) return lines.push_back(unchanged_line("write"));
  Trained trained = train_head("write", trial, data.write, starting_write, 0);
  // The first feature: how sure the sentence was.
  HeadExamples alone = data.write.without_hidden();
  alone.features = data.write.features.narrow(1, 0, 1);
  trained.arms.push_back(
      trial.fitted_without_each_part("log-probability", alone, starting_regression));
  trained.arms.back().ranking = numbers_of<double>(alone.features);
  head = to_write(trained.weights);
  append(lines, report_labels("write", trial.labelled(), trained.arms), std::move(trained.line));
}

void train_read(const HeadTrainOptions& options, const HeadData& data, ReadHead& head,
                std::vector<Json>& lines) {
  const ReadTrial trial(data.read, options.trial);
  if (!trial.can_learn()) return lines.push_back(unchanged_line("read"));
  const ReadArm by_state = trial.fitted_without_each_part("terms and state", options.read_rank);
  const ReadArm by_terms = trial.fitted_without_each_part("terms", 0);
  const ReadArm untrained = trial.untrained();
  Json line = {{"head", "read"}, {"written", untrained.name}};
  head = {};
  if (const ReadArm& best = by_state.loss < by_terms.loss ? by_state : by_terms;
      best.loss < untrained.loss) {
    const Fit<ReadWeights> fit = trial.fit_to_all(&best == &by_state ? options.read_rank : 0);
    head = to_read(fit.weights);
    line["written"] = best.name;
    describe_fit(fit, line);
  }
  append(lines, report_read({by_state, by_terms, untrained, trial.by_words(), trial.by_cosine()}),
         std::move(line));
}

void train_topology(const HeadTrainOptions& options, const HeadData& data, TopologyHead& head,
                    std::vector<Json>& lines) {
  const HeadExamples& each = data.topology.each;
  const HeadTrial trial(each, options.trial);
  if (!trial.can_learn()) return lines.push_back(unchanged_line("topology"));
  const TopologyBasis basis(each);
  // How hard a problem is changes no choice, so it is by the choices that one of them is written.
  Trained trained = train_head("topology", trial, basis.inputs(each), starting_topology, 1, 0);
  head = trained.line.at("written") == kUntrained ? TopologyHead{} : basis.to_head(trained.weights);
  std::vector<HeadArm> arms = trained.arms;
  std::erase_if(arms, [](const HeadArm& arm) { return arm.name == kUntrained; });
  arms.push_back(
      trial.fitted_without_each_part("shape alone", basis.shape_inputs(each), starting_topology));
  trained.arms.push_back(arms.back());
  const PlayedTopologies played{
      numbers_of<int>(each.problems), numbers_of<int>(data.topology.choices),
      numbers_of<int>(each.labels), numbers_of<int>(data.topology.stated), data.topology.names};
  for (Json& line : report_choices(played, arms)) lines.push_back(std::move(line));
  append(lines, report_labels("topology", trial.labelled(), trained.arms), std::move(trained.line));
}

}  // namespace

std::vector<Json> train_heads(const HeadTrainOptions& options,
                              const std::function<void(int)>& on_trace) {
  check(options);
  std::error_code failed;
  std::filesystem::create_directories(options.out_folder, failed);
  if (failed)
    throw Error(ErrorCode::kInvalidArgument,
                "cannot make the folder " + options.out_folder + ": " + failed.message(), "out");
  if (options.threads > 0) at::set_num_threads(options.threads);
  const std::string digest = sha256_file(options.traces.model_path);
  const int hidden_size = WeightFile(options.traces.model_path).shape().hidden_size;
  const std::string path = options.out_folder + "/heads.gguf";
  Heads heads = std::filesystem::exists(path) ? read_heads(path, digest, hidden_size) : Heads{};
  const HeadData data = read_or_compute(options, digest, [&](int done) {
    if (on_trace) on_trace(done);
  });
  std::vector<Json> lines = {describe(data)};
  heads.version = options.name;
  train_value(options, data, heads.value, lines);
  train_gate(options, data, heads.gate, lines);
  train_write(options, data, heads.memory.write, lines);
  train_read(options, data, heads.memory.read, lines);
  train_topology(options, data, heads.topology, lines);
  write_heads(path, heads, digest, hidden_size);
  replace_file(options.out_folder + "/heads.jsonl", [&](std::ostream& file) {
    for (const Json& line : lines)
      file << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  });
  return lines;
}

std::string describe_heads(const std::vector<Json>& lines) {
  std::string text;
  std::vector<Json> arms;
  for (const Json& line : lines) {
    if (line.contains("arm")) {
      if (!arms.empty() && arms.back().at("head") != line.at("head"))
        text += "\n" + to_table(std::exchange(arms, {}));
      arms.push_back(line);
    } else if (line.contains("data")) {
      for (const auto& [name, value] : line.at("data").items())
        text += fmt::format("{}: {}\n", name, value.dump());
    } else {
      const std::string head = line.at("head").get<std::string>();
      text +=
          fmt::format("\n{} head: {} is written{}\n", head, line.at("written").get<std::string>(),
                      line.contains("why") ? ", " + line["why"].get<std::string>() : "");
      if (!arms.empty()) text += "\n" + to_table(std::exchange(arms, {}));
    }
  }
  return text;
}

}  // namespace polyphon
