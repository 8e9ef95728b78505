#include "tensors/head_options.h"

#include <fmt/format.h>

#include "base/error.h"

namespace polyphon {

void check(const HeadTrainOptions& options) {
  const auto require = [](bool holds, const char* name, auto value, const char* expected) {
    if (!holds)
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} is {}: it must be {}", name, value, expected), name);
  };
  const FitOptions& fit = options.trial.fit;
  require(!options.traces.data_folders.empty(), "data", "nothing", "folders of self-play");
  require(options.trial.folds >= 2 && options.trial.folds <= 100, "folds", options.trial.folds,
          "2 to 100");
  require(options.read_rank >= 1 && options.read_rank <= 4096, "read-rank", options.read_rank,
          "1 to 4096");
  require(fit.most_steps >= 1, "most-steps", fit.most_steps, "at least 1");
  require(fit.choice_weight >= 0, "choice-weight", fit.choice_weight, "at least 0");
  require(fit.decay.features >= 0, "feature-decay", fit.decay.features, "at least 0");
  require(fit.decay.hidden >= 0, "hidden-decay", fit.decay.hidden, "at least 0");
  require(fit.decay.read >= 0, "read-decay", fit.decay.read, "at least 0");
}

}  // namespace polyphon
