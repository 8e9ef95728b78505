#include "trainer/parity.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/digest.h"
#include "base/error.h"
#include "model/float_copy.h"
#include "model/language_model.h"
#include "record/trace_layout.h"
#include "tensors/transformer.h"
#include "trainer/played_version.h"
#include "trainer/trace_decode.h"

namespace polyphon {
namespace {

using torch::Tensor;

// A file that goes when this does.
class TemporaryFile {
 public:
  TemporaryFile()
      : path_((std::filesystem::temp_directory_path() /
               ("polyphon-parity-" + std::to_string(::getpid()) + ".gguf"))
                  .string()) {}
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

TokenBatch batch_of(const TraceLayout& layout) {
  return {layout.tokens, layout.positions, {{0, layout.rows(), layout.visibility}}};
}

class Comparison {
 public:
  // `hidden`: of all rows of the layout, by the trainer.
  Comparison(const Trace& trace, const TraceLayout& layout, const BaseWeights& weights,
             const Tensor& hidden)
      : trace_(trace), layout_(layout), weights_(weights), hidden_(hidden) {
    sampled_.assign(static_cast<size_t>(layout.rows()), -1);
    for (int row = 0; row < layout.rows(); ++row) {
      const int from = layout.predictors[static_cast<size_t>(row)];
      if (from >= 0 && !std::isnan(recorded_logprob(row)))
        sampled_[static_cast<size_t>(from)] = row;
    }
  }

  void add(std::span<const int> rows, Decoder& decoder) {
    const auto count = static_cast<int64_t>(rows.size());
    Tensor engine = torch::empty({count, decoder.vocabulary_size()});
    Tensor state = torch::empty({count, decoder.hidden_size()});
    for (int64_t i = 0; i < count; ++i) {
      const auto logits = decoder.logits(static_cast<int>(i));
      const auto hidden = decoder.hidden(static_cast<int>(i));
      std::copy(logits.begin(), logits.end(), engine[i].data_ptr<float>());
      std::copy(hidden.begin(), hidden.end(), state[i].data_ptr<float>());
    }
    engine = engine.log_softmax(1);
    const Tensor own_state = hidden_.index_select(
        0, torch::tensor(std::vector<int64_t>(rows.begin(), rows.end()), torch::kLong));
    const Tensor own = logits(weights_, own_state).log_softmax(1);

    const auto [values, indices] = engine.topk(2, 1);
    const Tensor best = indices.narrow(1, 0, 1);
    agreements_.push_back(own.argmax(1, /*keepdim=*/true).eq(best).flatten());
    clear_.push_back((values.select(1, 0) - values.select(1, 1)) > ParityReport::kClearNats);
    differences_.push_back((own.gather(1, best) - engine.gather(1, best)).abs().flatten());
    divergences_.push_back((engine.exp() * (engine - own)).sum(1));
    states_.push_back((own_state.to(torch::kFloat) - state).norm(2, 1) / state.norm(2, 1));
    for (int64_t i = 0; i < count; ++i) {
      const int next = sampled_[static_cast<size_t>(rows[static_cast<size_t>(i)])];
      if (next < 0) continue;
      const Token token = layout_.tokens[static_cast<size_t>(next)];
      const float recorded = recorded_logprob(next);
      recorded_by_trainer_.push_back(std::abs(own[i][token].item<float>() - recorded));
      recorded_by_engine_.push_back(std::abs(engine[i][token].item<float>() - recorded));
    }
  }

  ParityReport report() const {
    const Tensor differences = torch::cat(differences_), states = torch::cat(states_);
    const auto mean = [](const Tensor& values) {
      return values.to(torch::kDouble).mean().item<double>();
    };
    ParityReport report;
    report.trace_id = trace_.id;
    report.rows = static_cast<int>(differences.numel());
    const Tensor agreements = torch::cat(agreements_), clear = torch::cat(clear_);
    report.top1_agreement = mean(agreements);
    report.clear_rows = static_cast<int>(clear.sum().item<int64_t>());
    report.clear_agreement = mean(agreements.masked_select(clear));
    report.logprob_mean = mean(differences);
    report.logprob_p99 = differences.quantile(0.99).item<double>();
    report.logprob_max = differences.max().item<double>();
    report.divergence_mean = mean(torch::cat(divergences_));
    report.hidden_mean = mean(states);
    report.hidden_max = states.max().item<double>();
    report.recorded = static_cast<int>(recorded_by_trainer_.size());
    if (report.recorded == 0) return report;
    report.recorded_trainer_mean = mean(torch::tensor(recorded_by_trainer_));
    report.recorded_engine_mean = mean(torch::tensor(recorded_by_engine_));
    return report;
  }

 private:
  float recorded_logprob(int row) const {
    const int span = layout_.spans[static_cast<size_t>(row)];
    if (span < 0) return NAN;
    const auto index = static_cast<size_t>(layout_.indices[static_cast<size_t>(row)]);
    return trace_.spans[static_cast<size_t>(span)].logprobs[index];
  }

  const Trace& trace_;
  const TraceLayout& layout_;
  const BaseWeights& weights_;
  const Tensor hidden_;
  std::vector<int> sampled_;  // [rows]: the row of the token that was sampled from it, or -1
  std::vector<Tensor> agreements_, clear_, differences_, divergences_, states_;
  std::vector<float> recorded_by_trainer_, recorded_by_engine_;
};

}  // namespace

Json to_json(const ParityReport& report) {
  return {{"trace", report.trace_id},
          {"rows", report.rows},
          {"top1_agreement", report.top1_agreement},
          {"clear_rows", report.clear_rows},
          {"clear_agreement", report.clear_agreement},
          {"logprob_mean", report.logprob_mean},
          {"logprob_p99", report.logprob_p99},
          {"logprob_max", report.logprob_max},
          {"divergence_mean", report.divergence_mean},
          {"hidden_mean", report.hidden_mean},
          {"hidden_max", report.hidden_max},
          {"recorded", report.recorded},
          {"recorded_trainer_mean", report.recorded_trainer_mean},
          {"recorded_engine_mean", report.recorded_engine_mean}};
}

std::vector<ParityReport> measure_parity(const std::vector<Trace>& traces,
                                         const ParityOptions& options) {
  const std::string digest = sha256_file(options.model_path);
  for (const Trace& trace : traces)
    if (trace.model_digest != digest)
      throw Error(ErrorCode::kInvalidArgument, "trace " + trace.id + " was made by model " +
                                                   trace.model_digest + ", this is " + digest);
  const PlayedVersion version(options.version_folder, digest);
  for (const Trace& trace : traces)
    if (!version.recorded(trace))
      throw Error(ErrorCode::kInvalidArgument, "trace " + trace.id + " was made by version " +
                                                   trace.version + ", this is " + version.name());
  const BaseWeights weights =
      load_base_weights(WeightFile(options.model_path), parse_precision(options.precision));
  const Lora adapter = version.adapter(weights.shape);
  const TemporaryFile copy;
  if (options.float_engine) write_float_copy(options.model_path, copy.path());
  const auto model =
      load_language_model({.path = options.float_engine ? copy.path() : options.model_path});
  const Tokens anchor = model->vocabulary().anchor();

  std::vector<ParityReport> reports;
  for (const Trace& trace : traces) {
    const torch::NoGradGuard guard;
    const TraceLayout layout = lay_out(trace, anchor);
    Comparison comparison(trace, layout, weights, forward(weights, adapter, batch_of(layout), {}));
    DecoderOptions sizes;
    sizes.context_cells = layout.rows() + 256;
    sizes.threads = options.threads;
    sizes.kv_type = options.kv_type;
    sizes.adapter = version.adapter_path();
    const auto decoder = model->make_decoder(sizes);
    decode_trace(trace, layout, anchor, *decoder, [&](std::span<const int> rows, Decoder& decoded) {
      comparison.add(rows, decoded);
    });
    reports.push_back(comparison.report());
  }
  return reports;
}

}  // namespace polyphon
