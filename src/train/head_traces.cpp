#include "train/head_traces.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <map>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/digest.h"
#include "base/error.h"
#include "core/version.h"
#include "model/weightless_model.h"
#include "train/adapter_file.h"

namespace polyphon {
namespace {

std::string adapter_path(const HeadTraces& from) {
  return from.version_folder.empty() ? "" : version_adapter(from.version_folder);
}

// As traces name it: the version, or the base without any adapter.
std::string version_name(const HeadTraces& from, const std::string& model_digest) {
  if (from.version_folder.empty()) return untrained_version(model_digest);
  const Version version = read_version(from.version_folder);
  require_base("version " + version.name, version.base_digest, model_digest);
  return version.name;
}

class Selection {
 public:
  Selection(std::string digest, std::string version)
      : digest_(std::move(digest)), version_(std::move(version)) {}

  bool takes(const Trace& trace) {
    if (trace.model_digest != digest_) {
      ++of_another_model_;
      return false;
    }
    // The name of its heads follows, or that of an adapter which is no version.
    const std::string more = version_ + "+";
    const bool same = trace.version == version_ || (trace.version.starts_with(more) &&
                                                    !trace.version.starts_with(more + "lora-"));
    if (!same) ++of_another_version_[trace.version];
    return same;
  }
  void leave_out(int damaged, const std::string& first) {
    if (damaged_ == 0) first_damage_ = first;
    damaged_ += damaged;
  }
  void describe(Json& found) const {
    found["version"] = version_;
    found["of_another_model"] = of_another_model_;
    found["of_another_version"] = of_another_version_;
    found["damaged"] = damaged_;
    found["first_damage"] = first_damage_;
  }

 private:
  const std::string digest_, version_;
  int of_another_model_ = 0;
  std::map<std::string, int> of_another_version_;
  int damaged_ = 0;
  std::string first_damage_;
};

// Tensors of a trace are of other sizes than the next one's, and glibc keeps the gaps that they
// leave: 10 GB after 200 traces, of which all but 1.3 go back.
void give_back_gaps() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

Lora lora_of(const HeadTraces& from, const ModelShape& shape, const std::string& model_digest) {
  const std::string path = adapter_path(from);
  if (!path.empty()) return load_adapter(path, shape, model_digest);
  return no_adapter(shape);
}

}  // namespace

HeadData compute_head_data(const HeadTraces& from, const std::string& model_digest,
                           const std::function<void(int)>& on_trace) {
  Selection selection(model_digest, version_name(from, model_digest));
  const BaseWeights weights =
      load_base_weights(WeightFile(from.model_path), parse_precision(from.precision));
  const Lora lora = lora_of(from, weights.shape, model_digest);
  const auto model = load_weightless_model({.path = from.model_path});
  HeadDataBuilder builder(weights, lora, model->vocabulary());
  int done = 0;
  for (const std::string& folder : from.data_folders) {
    const RolloutCounts read =
        read_rollouts(folder, [&](const Trace& trace, const Outcome& outcome) {
          if (!selection.takes(trace)) return;
          try {
            builder.add(trace, outcome);
          } catch (const Error& error) {
            return selection.leave_out(1, error.what());
          }
          give_back_gaps();
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
  constexpr int kFormat = 2;  // of what is computed from a trace
  std::string of = fmt::format("{} {} {} {}", kFormat, model_digest,
                               version_name(from, model_digest), from.precision);
  if (const std::string adapter = adapter_path(from); !adapter.empty())
    of += " " + sha256_file(adapter);
  for (const std::string& folder : from.data_folders) {
    require_rollouts(folder);
    of += " " + sha256_file(traces_path(folder));
  }
  return sha256(of);
}

}  // namespace polyphon
