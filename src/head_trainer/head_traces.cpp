#include "head_trainer/head_traces.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "base/digest.h"
#include "base/error.h"
#include "base/process.h"
#include "model/weightless_model.h"
#include "trainer/memory_estimate.h"
#include "trainer/played_version.h"

namespace polyphon {
namespace {

class Selection {
 public:
  Selection(const std::string& digest, const PlayedVersion& version)
      : digest_(digest), version_(version) {}

  bool takes(const Trace& trace) {
    if (trace.model_digest != digest_) {
      ++of_another_model_;
      return false;
    }
    if (version_.recorded(trace)) return true;
    ++of_another_version_[trace.version];
    return false;
  }
  void leave_out(int damaged, const std::string& first) {
    if (damaged_ == 0) first_damage_ = first;
    damaged_ += damaged;
  }
  void describe(Json& found) const {
    found["version"] = version_.name();
    found["of_another_model"] = of_another_model_;
    found["of_another_version"] = of_another_version_;
    found["damaged"] = damaged_;
    found["first_damage"] = first_damage_;
  }

 private:
  const std::string& digest_;
  const PlayedVersion& version_;
  int of_another_model_ = 0;
  std::map<std::string, int> of_another_version_;
  int damaged_ = 0;
  std::string first_damage_;
};

// Of a pass over a session, which keeps less than one that computes layers again in backward.
void check_memory(const ModelShape& shape, Precision precision) {
  TrainOptions pass;
  pass.batch_tokens = 2048;
  pass.projections = {};
  pass.checkpoint_layers = true;
  const int64_t needed =
      estimate_memory(shape, pass, precision == Precision::kBfloat16 ? 2 : 4).total();
  if (const int64_t available = available_memory(); needed > available)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("a session of {} rows needs about {} MB and {} MB are free",
                            pass.batch_tokens, needed >> 20, available >> 20));
}

}  // namespace

HeadData compute_head_data(const HeadTraces& from, const std::string& model_digest,
                           const std::function<void(int)>& on_trace) {
  const PlayedVersion version(from.version_folder, model_digest);
  Selection selection(model_digest, version);
  const WeightFile file(from.model_path);
  const Precision precision = parse_precision(from.precision);
  check_memory(file.shape(), precision);
  const BaseWeights weights = load_base_weights(file, precision);
  const Lora lora = version.adapter(weights.shape);
  const auto model = load_weightless_model({.path = from.model_path});
  HeadDataBuilder builder(weights, lora, model->vocabulary());
  int done = 0;
  for (const std::string& folder : from.data_folders) {
    const RolloutCounts read =
        read_rollouts(folder, [&](const Trace& trace, const Outcome& outcome) {
          if (!selection.takes(trace)) return;
          builder.add(trace, outcome);
          on_trace(++done);
        });
    selection.leave_out(read.damaged, read.first_damage);
  }
  HeadData data = builder.take();
  selection.describe(data.found);
  if (done == 0)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("no trace to learn from in {}: {}", fmt::join(from.data_folders, ", "),
                            data.found.dump()));
  return data;
}

std::string head_data_key(const HeadTraces& from, const std::string& model_digest) {
  constexpr int kFormat = 3;  // of what is computed from a trace
  const PlayedVersion version(from.version_folder, model_digest);
  std::string of =
      fmt::format("{} {} {} {}", kFormat, model_digest, version.name(), from.precision);
  if (!version.adapter_path().empty()) of += " " + sha256_file(version.adapter_path());
  for (const std::string& folder : from.data_folders) {
    require_rollouts(folder);
    of += " " + sha256_file(traces_path(folder));
  }
  return sha256(of);
}

}  // namespace polyphon
