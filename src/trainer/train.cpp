#include "trainer/train.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include "base/digest.h"
#include "base/error.h"
#include "base/process.h"
#include "core/seeds.h"
#include "heads/heads.h"
#include "tensors/adapter_file.h"
#include "tensors/device.h"
#include "trainer/batch_loss.h"
#include "trainer/held_out.h"
#include "trainer/memory_estimate.h"
#include "trainer/process_group.h"
#include "trainer/progress_file.h"
#include "trainer/promotion_loss.h"
#include "trainer/train_state.h"

namespace polyphon {
namespace {

using Clock = std::chrono::steady_clock;
using torch::Tensor;

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

LoraConfig lora_config(const TrainOptions& options) {
  return {options.rank, options.alpha, options.dropout, options.projections};
}

// What is wrong with the machine is told before anything large is read.
const ModelShape& checked_shape(const WeightFile& file, const TrainOptions& options,
                                const torch::Device& device) {
  const bool half = parse_precision(options.precision, device) == Precision::kBfloat16;
  const int64_t share = available_memory() / options.processes.on_this_machine;
  check_memory(estimate_memory(file.shape(), options, half ? 2 : 4), options,
               free_device_memory(device).value_or(share));
  return file.shape();
}

// Without effects of promotions lines with nothing else teach nothing.
std::vector<Example> read_learnt(const std::string& path, const ExampleLimits& limits,
                                 bool effects) {
  std::vector<Example> examples = read_examples(path, limits);
  if (!effects)
    std::erase_if(examples, [](const Example& example) { return example.targets.empty(); });
  if (examples.empty())
    throw Error(ErrorCode::kInvalidArgument,
                path +
                    " holds nothing but effects of promotions, which are learnt from with "
                    "--promotion-weight");
  return examples;
}

Heads starting_heads(const TrainOptions& options, const std::string& model_sha256,
                     int hidden_size) {
  if (!options.from_heads_path.empty())
    return read_heads(options.from_heads_path, model_sha256, hidden_size);
  Heads heads;
  heads.version = "gate";
  return heads;
}

class TrainRun {
 public:
  TrainRun(const TrainOptions& options, const std::function<void(const Json&)>& on_progress)
      : options_(options),
        on_progress_(on_progress),
        device_(parse_device(options.device, options.processes.local_rank)),
        group_(options.processes, milliseconds(options.peer_timeout_seconds), device_),
        file_(options.model_path),
        shape_(checked_shape(file_, options, device_)),
        model_sha256_(sha256_file(options.model_path)),
        examples_(read_learnt(options.data_path, limits(), options.promotion_weight > 0)),
        held_out_(take_held_out()),
        plan_(examples_, options.batch_tokens, options.seed),
        weights_(load_base_weights(file_, parse_precision(options.precision, device_), device_)),
        lora_(weights_.shape, lora_config(options), seeds::kLoraWeights.of(options.seed),
              at::device(device_).dtype(torch::kFloat)),
        heads_(starting_heads(options, model_sha256_, weights_.shape.hidden_size)),
        gate_(trainable_gate(heads_.gate, weights_)),
        optimizer_(trained()),
        steps_(count_steps()),
        progress_(options.out_folder + "/progress.jsonl") {
    state_.options = to_json(options);
    state_.model_sha256 = model_sha256_;
    if (options.kl_weight > 0)
      base_ = no_adapter(weights_.shape, at::device(device_).dtype(torch::kFloat));
    const std::string& from = options.from_path;
    if (!from.empty()) read_adapter(from, lora_, model_sha256_);
    state_.options["from_sha256"] = from.empty() ? "" : sha256_file(from);
    const std::string& heads = options.from_heads_path;
    state_.options["from_heads_sha256"] = heads.empty() ? "" : sha256_file(heads);
    state_.data_sha256 = sha256_file(options.data_path);
    const std::string& validation = options.validation_path;
    state_.options["validation_sha256"] =
        validation.empty() ? Json() : Json(sha256_file(validation));
    begin();
  }

  TrainOutcome run(const std::atomic<bool>& stop) {
    const auto started = Clock::now();
    const int64_t first = state_.step;
    saved_ = started;
    while (state_.step < steps_) {
      // Where to go on when this step fails; afterwards it counts.
      std::optional<DataPosition> before = state_.position;
      try {
        // All processes stop after the same step.
        if (group_.sum(stop.load() ? 1.0 : 0.0) > 0) {
          save();
          return TrainOutcome::kStopped;
        }
        Json report = step();
        before.reset();
        if (held_out_ && is_due(options_.validate_every_steps)) validate(report);
        const double done = static_cast<double>(state_.step - first);
        report["eta_seconds"] =
            seconds_since(started) / done * static_cast<double>(steps_ - state_.step);
        tell(report);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kUnavailable) throw;
        leave(error, before);
      }
      if (is_due(options_.save_every_steps) || seconds_since(saved_) > options_.save_every_seconds)
        save();
    }
    return TrainOutcome::kDone;
  }

 private:
  std::string state_path() const { return options_.out_folder + "/state.gguf"; }

  std::string adapter_path() const { return options_.out_folder + "/adapter.gguf"; }
  bool trains_gate() const { return options_.promotion_weight > 0; }

  Optimizer::Parameters trained() const {
    Optimizer::Parameters all = lora_.parameters();
    if (trains_gate())
      for (const auto& [name, tensor] : gate_.parameters())
        all.emplace_back("gate." + name, tensor);
    return all;
  }
  bool writes() const { return group_.place().rank == 0; }
  // Every so many steps, and after the last one.
  bool is_due(int64_t every) const { return state_.step % every == 0 || state_.step == steps_; }
  int batches_a_step() const { return options_.accumulate * group_.place().size; }

  ExampleLimits limits() const {
    return {model_sha256_, shape_.vocabulary_size, options_.batch_tokens};
  }

  std::unique_ptr<HeldOut> take_held_out() {
    std::vector<Example> held;
    if (!options_.validation_path.empty())
      held = read_learnt(options_.validation_path, limits(), /*effects=*/false);
    else if (options_.validation_share > 0)
      held = hold_out(examples_, options_.validation_share, options_.seed);
    else
      return nullptr;
    return std::make_unique<HeldOut>(std::move(held), options_.batch_tokens);
  }

  int64_t count_steps() {
    const int64_t batches = plan_.batches_in(options_.epochs);
    const int64_t steps = (batches + batches_a_step() - 1) / batches_a_step();
    return options_.max_steps > 0 ? std::min(steps, options_.max_steps) : steps;
  }

  void begin() {
    // A checkpoint is of a run, however many processes went through it.
    state_.options["accumulate"] = batches_a_step();
    expect_same_everywhere();
    if (writes()) {
      const bool there = std::filesystem::exists(state_path());
      if (there && !options_.resume)
        throw Error(ErrorCode::kInvalidArgument,
                    state_path() + " is there: resume that run, or choose another folder", "out");
      if (there) state_ = load_state(state_path(), state_, optimizer_);
      // What was done after the checkpoint is done again.
      progress_.keep_steps_up_to(state_.step);
      if (const std::string warning = warning_of(options_, steps_); !warning.empty())
        spdlog::warn(warning);
    }
    set_standing(state_, Json::parse(group_.share(standing_of(state_).dump())));
    group_.share(optimizer_.tensors());
  }

  void expect_same_everywhere() const {
    const std::string ours = Json{state_.options, state_.model_sha256, state_.data_sha256}.dump();
    if (const std::string first = group_.share(ours); first != ours)
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("process {} was given other options, model or data than process 0: "
                              "{} and {}",
                              group_.place().rank, ours, first));
  }

  void save() {
    saved_ = Clock::now();
    if (!writes()) return;
    // First the adapter: with the state of the last step there is nothing left to do.
    if (!state_.best) save_adapter();  // else it holds the best one
    save_state(state_path(), state_, optimizer_);
  }

  void save_adapter() const {
    write_adapter(adapter_path(), lora_, weights_.shape.architecture, model_sha256_);
    if (!trains_gate()) return;
    Heads heads = heads_;
    heads.gate = to_gate(gate_);
    write_heads(options_.out_folder + "/heads.gguf", heads, model_sha256_,
                weights_.shape.hidden_size);
  }

  // Another process is gone. A step that was under way has changed nothing yet but the position.
  [[noreturn]] void leave(const Error& error, const std::optional<DataPosition>& before) {
    std::string what = "the last checkpoint";
    if (writes() && before) {
      state_.position = *before;
      save();
      what = fmt::format("the checkpoint of step {}", state_.step);
    }
    throw Error(error.code(),
                fmt::format("{}; {} is in {}: start all processes again with --resume",
                            error.what(), what, options_.out_folder));
  }

  void tell(const Json& report) const {
    if (!writes()) return;
    progress_.append(report);
    if (on_progress_) on_progress_(report);
  }

  void validate(Json& report) {
    const double loss = held_out_->loss(weights_, lora_, group_);
    if (!std::isfinite(loss))
      throw Error(ErrorCode::kInternal,
                  fmt::format("step {}: the loss on held-out data is {}; the last checkpoint is "
                              "kept: look at that data's weights",
                              state_.step, loss));
    if (!state_.best || loss < state_.best->loss) {
      state_.best = {state_.step, loss};
      if (writes()) save_adapter();
    }
    report["validation"] = {
        {"loss", loss}, {"best_step", state_.best->step}, {"best_loss", state_.best->loss}};
  }

  // One step of the optimizer over the batches of all processes, whose targets weigh alike wherever
  // they are packed. The last step of the last epoch may have fewer.
  Json step() {
    const auto started = Clock::now();
    std::vector<TrainingBatch> batches;
    LossCounts counts;
    int64_t tokens = 0;
    const int64_t epoch = state_.position.epoch;
    for (int i = 0; i < batches_a_step() && state_.position.epoch < options_.epochs; ++i) {
      batches.push_back(plan_.take(state_.position));
      counts.add(batches.back());
      tokens += batches.back().tokens.rows();
    }
    StepLoss loss = {{"tokens", 0}};
    if (options_.kl_weight > 0) loss["kl"] = 0;
    if (trains_gate()) loss["promotion"] = 0;
    for (auto i = static_cast<size_t>(group_.place().rank); i < batches.size();
         i += static_cast<size_t>(group_.place().size))
      add_gradient(batches[i], counts, i, loss);
    for (auto& [name, value] : loss) value = group_.sum(value);
    group_.sum(optimizer_.gradients());
    const double norm = optimizer_.clip(options_.clip_norm);
    if (!std::isfinite(norm)) fail(batches, "gradient", norm);
    const double rate = learning_rate_at(options_, state_.step, steps_);
    optimizer_.step(rate, options_.weight_decay, state_.step + 1);
    ++state_.step;
    state_.tokens += tokens;
    return {{"step", state_.step},
            {"of", steps_},
            {"epoch", epoch},
            {"loss", loss},
            {"learning_rate", rate},
            {"gradient_norm", norm},
            {"tokens", state_.tokens},
            {"tokens_per_second", static_cast<double>(tokens) / seconds_since(started)},
            {"peak_memory_mb", peak_memory_kib() / 1024}};
  }

  using StepLoss = std::map<std::string, double>;  // means over the step, before their weights

  LossTerms terms() const {
    LossTerms terms;
    if (base_) terms.base = &*base_;
    if (trains_gate()) terms.gate = &gate_;
    return terms;
  }

  // Adds the batch's share of the step's loss.
  void add_gradient(const TrainingBatch& batch, const LossCounts& counts, size_t index,
                    StepLoss& sum) {
    ForwardOptions how;
    how.training = true;
    how.seed = seeds::kBatches.of(
        seeds::kSteps.of(options_.seed, static_cast<uint64_t>(state_.step)), index);
    how.checkpoint = options_.checkpoint_layers;
    const BatchLoss loss = batch_loss(weights_, lora_, batch, how, terms());
    Tensor total;
    const auto add = [&](const char* name, const Tensor& term, double weight, double count) {
      if (!term.defined()) return;
      const double divisor = std::max(count, 1e-9);
      sum[name] += term.item<double>() / divisor;
      const Tensor share = term * (weight / divisor);
      total = total.defined() ? total + share : share;
    };
    add("tokens", loss.tokens, 1, counts.targets);
    add("kl", loss.divergence, options_.kl_weight, counts.targets);
    add("promotion", loss.promotion, options_.promotion_weight, counts.effects);
    if (const auto value = total.item<double>(); !std::isfinite(value))
      fail({batch}, "loss", value);
    total.backward();
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
  const torch::Device device_;
  const ProcessGroup group_;
  const WeightFile file_;
  const ModelShape& shape_;
  const std::string model_sha256_;
  std::vector<Example> examples_;
  const std::unique_ptr<HeldOut> held_out_;  // null: nothing is held out
  BatchPlan plan_;
  const BaseWeights weights_;
  Lora lora_;
  std::optional<Lora> base_;  // an adapter that adds nothing, where the base is asked
  const Heads heads_;         // that the run began with
  const HeadWeights gate_;    // trained beside the adapter if it weighs
  Optimizer optimizer_;
  const int64_t steps_;
  ProgressFile progress_;
  TrainState state_;
  Clock::time_point saved_;
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
  const int cores = at::get_num_threads() / options.processes.on_this_machine;
  at::set_num_threads(options.threads > 0 ? options.threads : std::max(1, cores));
  return TrainRun(options, on_progress).run(stop);
}

}  // namespace polyphon
