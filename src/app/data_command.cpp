// polyphon data build: self-play's traces as training data.
#include <fmt/format.h>

#include <iostream>

#include "app/command.h"
#include "app/usage.h"
#include "data/problem_source.h"
#include "data/training_data.h"
#include "deploy/load.h"
#include "deploy/model_catalogue.h"
#include "deploy/share_folder.h"
#include "model/weightless_model.h"

namespace polyphon {
namespace {

struct DataFlags {
  std::string model, output, config_path;
  std::vector<std::string> folders;
  bool json = false;
  DataOptions options;
};

void print_counts(const DataCounts& counts) {
  std::string text =
      "family              difficulty  problems     right     wrong    worked  minority  "
      "majority\n";
  for (const auto& [cell, of] : counts.cells)
    text += fmt::format("{:<20}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", cell.family,
                        cell.difficulty, of.problems, of.right, of.wrong, of.worked, of.minority,
                        of.majority);
  print_out(text + fmt::format("{} sequences of {} tokens, at most {} each; {} tokens to learn\n",
                               counts.sequences, counts.tokens, counts.longest,
                               counts.target_tokens));
  if (counts.effects > 0)
    print_out(fmt::format("{} effects of promotions to learn\n", counts.effects));
}

int build(const DataFlags& flags) {
  const Config config = flags.config_path.empty() ? Config{} : read_config(flags.config_path);
  ModelOptions model_options = config.model_options;
  model_options.path = resolve_model(flags.model.empty() ? config.model : flags.model);
  const auto model = load_weightless_model(model_options);
  DataCounts counts;
  const std::string digest = model_digest(model_options.path);
  const auto sequences =
      build_training_data(flags.folders, *model, digest, config.reason.strategies,
                          held_out_texts(share_path("suites")), flags.options, counts);
  write_training_data(flags.output, digest, sequences);
  if (counts.damaged > 0)
    std::cerr << fmt::format("{} damaged lines are left out: {}\n", counts.damaged,
                             counts.first_damage);
  if (counts.too_long > 0)
    std::cerr << fmt::format("{} sequences of more than {} tokens are left out\n", counts.too_long,
                             flags.options.most_tokens);
  if (counts.one_sided > 0)
    std::cerr << fmt::format(
        "{} of {} proposed problems, which all or no streams had right, are "
        "left out\n",
        counts.one_sided, counts.one_sided + counts.proposed);
  if (counts.searched > 0)
    std::cerr << fmt::format("{} traces with searches are left out: `polyphon train --heads`\n",
                             counts.searched);
  if (counts.foreign > 0)
    std::cerr << fmt::format("{} traces of another model are left out\n", counts.foreign);
  if (flags.json)
    print_out(to_json(counts).dump() + "\n");
  else
    print_counts(counts);
  return 0;
}

}  // namespace

void add_data_command(CLI::App& app, Run& run) {
  CLI::App& data = *app.add_subcommand("data", "Make training data");
  data.require_subcommand(1);
  auto flags = std::make_shared<DataFlags>();
  DataOptions& options = flags->options;
  CLI::App& command = *data.add_subcommand("build", "Make sequences to train on out of self-play");
  command.add_option("folders", flags->folders, "Folders that `polyphon selfplay` filled")
      ->required();
  command
      .add_option("--output", flags->output, "JSON-lines file that `polyphon train --data` reads")
      ->required();
  command
      .add_option("--config", flags->config_path, "TOML file of settings (docs/configuration.md)")
      ->default_str("none");
  command.add_option("--model", flags->model, "Model: a name of `polyphon models`, or a GGUF file")
      ->default_str("the catalogue's");
  static const std::map<std::string, RewardMethod> kMethods = {
      {"policy", RewardMethod::kPolicyGradient}, {"rejection", RewardMethod::kRejection}};
  RewardOptions& rewards = options.rewards;
  command
      .add_option_function<std::string>(
          "--method", [&rewards](const std::string& name) { rewards.method = kMethods.at(name); },
          "What attempts are worth: reward less the problem's mean (policy), or right attempts, "
          "and failures as clipped negatives (rejection)")
      ->check(one_of({"policy", "rejection"}))
      ->default_str("policy");
  command
      .add_option("--most-per-cell", options.most_per_cell,
                  "Most right streams of a family at one difficulty, and most wrong ones")
      ->check(in_range(0, 1 << 20));
  command
      .add_option("--worked-below", options.worked_below,
                  "Success of a family at one difficulty, below which worked solutions are added")
      ->check(in_real_range(0, 1.1));
  command
      .add_option("--worked-per-cell", options.worked_per_cell,
                  "Worked solutions for a family at one difficulty; 0: none")
      ->check(in_range(0, 1 << 20));
  command.add_flag("--whole-sessions", options.whole_sessions,
                   "All streams of a session in one sequence, with the prompt once");
  command
      .add_option("--answers-per-cell", options.answers_per_cell,
                  "Answers after the merge for a family at one difficulty, from sessions with few "
                  "right streams; 0: none")
      ->check(in_range(0, 1 << 20));
  command
      .add_option("--most-tokens", options.most_tokens,
                  "Longest sequence in tokens: at most --batch-tokens of the trainer")
      ->check(in_range(2, 1 << 20));
  command.add_flag("--random-rewards", options.random_rewards,
                   "Outcomes by chance: the control of an experiment");
  command.add_option("--seed", options.seed, "Random seed of choice and order")->check(at_least(0));
  command.add_flag("--json", flags->json, "The counts as one JSON object");
  command.callback([flags, &run] { run = [flags] { return build(*flags); }; });
}

}  // namespace polyphon
