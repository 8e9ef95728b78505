#include "trainer/train_report.h"

#include <fmt/format.h>

namespace polyphon {

std::string describe_step(const Json& line) {
  std::string text = fmt::format(
      "step {}/{}  loss {:.4f}  lr {:.1e}  {:.0f} tokens/s  {} MB  {:.0f} s left\n",
      line.at("step").get<int64_t>(), line.at("of").get<int64_t>(),
      line.at("loss").at("tokens").get<double>(), line.at("learning_rate").get<double>(),
      line.at("tokens_per_second").get<double>(), line.at("peak_memory_mb").get<int64_t>(),
      line.at("eta_seconds").get<double>());
  if (const auto held = line.find("validation"); held != line.end())
    text += fmt::format("         held-out loss {:.4f}, best {:.4f} at step {}\n",
                        held->at("loss").get<double>(), held->at("best_loss").get<double>(),
                        held->at("best_step").get<int64_t>());
  return text;
}

std::string describe_outcome(TrainOutcome outcome, const TrainOptions& options, const Json& last) {
  if (outcome == TrainOutcome::kStopped)
    return fmt::format("stopped; the checkpoint in {} holds all steps done: add --resume\n",
                       options.out_folder);
  if (!last.contains("validation")) return "";
  return fmt::format("adapter.gguf is that of step {}: held-out loss {:.4f}\n",
                     last["validation"]["best_step"].get<int64_t>(),
                     last["validation"]["best_loss"].get<double>());
}

}  // namespace polyphon
