#include "train/train.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <thread>

#include "base/digest.h"
#include "base/error.h"
#include "base/process.h"
#include "base/random.h"
#include "train/adapter_file.h"
#include "train/operations.h"
#include "train/progress_file.h"
#include "train/train_state.h"
#include "train/transformer.h"

namespace polyphon {
namespace {

using Clock = std::chrono::steady_clock;
using torch::Tensor;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

LoraConfig lora_config(const TrainOptions& options) {
  return {options.rank, options.alpha, options.dropout, options.projections};
}

class TrainRun {
 public:
  TrainRun(const TrainOptions& options, const std::function<void(const Json&)>& on_progress)
      : options_(options),
        on_progress_(on_progress),
        file_(options.model_path),
        examples_(
            read_examples(options.data_path, file_.shape().vocabulary_size, options.batch_tokens)),
        plan_(examples_, options.batch_tokens, options.seed),
        weights_(load_base_weights(file_, parse_precision(options.precision))),
        lora_(weights_.shape, lora_config(options), derive_seed(options.seed, 0)),
        optimizer_(lora_),
        steps_(count_steps()),
        progress_(options.out_folder + "/progress.jsonl") {
    state_.options = to_json(options);
    state_.model_sha256 = sha256_file(options.model_path);
    const std::string& from = options.from_path;
    if (!from.empty()) read_adapter(from, lora_, state_.model_sha256);
    state_.options["from_sha256"] = from.empty() ? "" : sha256_file(from);
    state_.data_sha256 = sha256_file(options.data_path);
    begin();
  }

  TrainOutcome run(const std::atomic<bool>& stop) {
    const auto started = Clock::now();
    const int64_t first = state_.step;
    auto saved = started;
    while (state_.step < steps_) {
      if (stop.load()) {
        save();
        return TrainOutcome::kStopped;
      }
      Json report = step();
      const double done = static_cast<double>(state_.step - first);
      report["eta_seconds"] =
          seconds_since(started) / done * static_cast<double>(steps_ - state_.step);
      progress_.append(report);
      if (on_progress_) on_progress_(report);
      if (state_.step % options_.save_every_steps == 0 ||
          seconds_since(saved) > options_.save_every_seconds) {
        save();
        saved = Clock::now();
      }
    }
    save();
    return TrainOutcome::kDone;
  }

 private:
  std::string state_path() const { return options_.out_folder + "/state.gguf"; }

  int64_t count_steps() {
    const int64_t batches = plan_.batches_in(options_.epochs);
    const int64_t steps = (batches + options_.accumulate - 1) / options_.accumulate;
    return options_.max_steps > 0 ? std::min(steps, options_.max_steps) : steps;
  }

  void begin() {
    const bool there = std::filesystem::exists(state_path());
    if (there && !options_.resume)
      throw Error(ErrorCode::kInvalidArgument,
                  state_path() + " is there: resume that run, or choose another folder", "out");
    if (there) state_ = load_state(state_path(), state_, optimizer_);
    // What was done after the checkpoint is done again.
    progress_.keep_steps_up_to(state_.step);
  }

  void save() {
    save_state(state_path(), state_, optimizer_);
    write_adapter(options_.out_folder + "/adapter.gguf", lora_, weights_.shape.architecture,
                  state_.model_sha256);
  }

  // One step of the optimizer over `accumulate` batches, whose targets weigh alike wherever they
  // are packed. The last step of the last epoch may have fewer.
  Json step() {
    const auto started = Clock::now();
    std::vector<TrainingBatch> batches;
    double weight = 0;
    int64_t tokens = 0;
    const int64_t epoch = state_.position.epoch;
    for (int i = 0; i < options_.accumulate && state_.position.epoch < options_.epochs; ++i) {
      batches.push_back(plan_.take(state_.position));
      for (float each : batches.back().weights) weight += std::abs(each);
      tokens += batches.back().tokens.rows();
    }
    double loss = 0;
    for (size_t i = 0; i < batches.size(); ++i)
      loss += add_gradient(batches[i], std::max(weight, 1e-9), i);
    const double norm = optimizer_.clip(options_.clip_norm);
    if (!std::isfinite(norm)) fail(batches, "gradient", norm);
    const double rate = learning_rate_at(options_, state_.step, steps_);
    optimizer_.step(rate, options_.weight_decay);
    ++state_.step;
    state_.tokens += tokens;
    return {{"step", state_.step},
            {"of", steps_},
            {"epoch", epoch},
            {"loss", {{"tokens", loss}}},
            {"learning_rate", rate},
            {"gradient_norm", norm},
            {"tokens", state_.tokens},
            {"tokens_per_second", static_cast<double>(tokens) / seconds_since(started)},
            {"peak_memory_mb", peak_memory_kib() / 1024}};
  }

  // Weighted mean of the targets' negative log-probabilities; its share that this batch has.
  double add_gradient(const TrainingBatch& batch, double weight, size_t index) {
    if (batch.rows.empty()) return 0;
    ForwardOptions how;
    how.training = true;
    how.seed = derive_seed(derive_seed(options_.seed, static_cast<uint64_t>(state_.step)), index);
    how.checkpoint = options_.checkpoint_layers;
    const Tensor hidden = forward(weights_, lora_, batch.tokens, how, &batch.rows);
    const Tensor logprobs = target_logprobs(hidden, weights_.output, torch::tensor(batch.targets));
    const Tensor factors = torch::tensor(batch.weights).to(logprobs.scalar_type());
    const Tensor loss = (logprobs * factors).sum() * (-1 / weight);
    const double value = loss.item<double>();
    if (!std::isfinite(value)) fail({batch}, "loss", value);
    loss.backward();
    return value;
  }

  [[noreturn]] void fail(const std::vector<TrainingBatch>& batches, const char* what,
                         double value) const {
    std::vector<int> lines;
    for (const TrainingBatch& batch : batches)
      lines.insert(lines.end(), batch.lines.begin(), batch.lines.end());
    throw Error(
        ErrorCode::kInternal,
        fmt::format("step {}: the {} is {} on the batch of lines {} of {}; the last "
                    "checkpoint is kept: lower the learning rate or look at these lines",
                    state_.step + 1, what, value, fmt::join(lines, ", "), options_.data_path));
  }

  const TrainOptions options_;
  const std::function<void(const Json&)> on_progress_;
  const WeightFile file_;
  const std::vector<Example> examples_;
  BatchPlan plan_;
  const BaseWeights weights_;
  Lora lora_;
  Optimizer optimizer_;
  const int64_t steps_;
  ProgressFile progress_;
  TrainState state_;
};

}  // namespace

TrainOutcome train(const TrainOptions& options, const std::atomic<bool>& stop,
                   const std::function<void(const Json&)>& on_progress) {
  check(options);
  check(lora_config(options));
  std::error_code failed;
  std::filesystem::create_directories(options.out_folder, failed);
  if (failed)
    throw Error(ErrorCode::kInvalidArgument,
                "cannot make the folder " + options.out_folder + ": " + failed.message(), "out");
  if (options.threads > 0) at::set_num_threads(options.threads);
  return TrainRun(options, on_progress).run(stop);
}

}  // namespace polyphon
