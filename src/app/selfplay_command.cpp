// polyphon selfplay: rollouts on generated problems, for training. SIGINT or SIGTERM lets what runs
// end; the same command goes on from there.
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <iostream>

#include "app/command.h"
#include "app/load.h"
#include "base/error.h"
#include "pipeline/selfplay.h"

namespace polyphon {
namespace {

std::atomic<bool> stop_asked = false;

struct SelfPlayFlags {
  ModelFlags model;
  std::string output, suites = POLYPHON_SHARE_DIR "/../suites";
  double minutes = 0;
  bool json = false;
  SelfPlayOptions options;
};

std::unique_ptr<Reasoner> load_player(const ModelFlags& flags) {
  Config config = flags.config();
  config.reason.workspace.measure_effect = false;  // what a promotion did, its counterfactual says
  return load_reasoner(config);
}

void print_summary(const SelfPlayReport& report) {
  std::string text = "family              difficulty  problems  success  any right\n";
  for (const auto& [cell, counts] : report.cells)
    text += fmt::format("{:<20}{:>10}{:>10}{:>8.1f}%{:>10.1f}%\n", cell.family, cell.difficulty,
                        counts.problems, 100 * counts.success(),
                        100.0 * counts.any_right / std::max(1, counts.problems));
  for (const Cell& cell : report.cold)
    text += fmt::format("no success in {}/{}: a cold start by worked solutions\n", cell.family,
                        cell.difficulty);
  text += fmt::format("{} problems, {} of earlier runs; {} skipped as held out\n", report.problems,
                      report.resumed, report.held_out_skipped);
  if (report.promotions > 0)
    text += fmt::format("{} promotions, {} sessions without one of them\n", report.promotions,
                        report.counterfactuals);
  print_out(text);
}

int self_play_command(SelfPlayFlags& flags) {
  flags.options.seconds = 60 * flags.minutes;
  const std::set<std::string> held_out = held_out_texts(flags.suites);
  const auto reasoner = load_player(flags.model);
  ReasonerPlayer player(*reasoner);
  for (const int signal : {SIGINT, SIGTERM})
    std::signal(signal, [](int) { stop_asked.store(true); });
  const bool screen = isatty(STDERR_FILENO) != 0;
  const auto show = [&](const SelfPlayReport& report, const Cell& cell) {
    const CellCounts& counts = report.cells.at(cell);
    if (screen)
      std::cerr << fmt::format("\r{} problems · {}/{} {:.0f} % of {}\033[K",
                               report.resumed + report.problems, cell.family, cell.difficulty,
                               100 * counts.success(), counts.streams);
  };
  const SelfPlayReport report =
      self_play({&player}, flags.options, held_out, flags.output, stop_asked, {show, {}});
  if (screen) std::cerr << "\r\033[K";
  if (report.found.damaged > 0)
    std::cerr << fmt::format("{} damaged lines are left out: {}\n", report.found.damaged,
                             report.found.first_damage);
  if (flags.json)
    print_out(to_json(report).dump() + "\n");
  else
    print_summary(report);
  return 0;
}

}  // namespace

void add_selfplay_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<SelfPlayFlags>();
  SelfPlayOptions& options = flags->options;
  CLI::App& command =
      *app.add_subcommand("selfplay", "attempts at generated problems, to learn from");
  flags->model.add_to(command);
  command.add_option("--families", options.families, "of problems, comma separated")
      ->delimiter(',')
      ->required();
  command.add_option("--output", flags->output, "folder of traces; a run goes on in its own")
      ->required();
  auto* minutes = command.add_option("--minutes", flags->minutes, "at most, of this run")
                      ->check(CLI::PositiveNumber);
  auto* problems = command.add_option("--problems", options.problems, "at most, in the folder")
                       ->check(CLI::PositiveNumber);
  command.add_option("--streams", options.streams, "a problem")
      ->check(CLI::Range(2, Topology::kMaxStreams));
  command.add_option("--tokens", options.tokens, "a stream")
      ->check(CLI::Range(1, Topology::kMaxStreamTokens));
  command.add_option("--temperature", options.temperature, "middle of the streams' ladder")
      ->check(CLI::Range(0.0, 4.0));
  CounterfactualOptions& asked = options.counterfactuals;
  command.add_option("--registers", asked.registers, "of a session, which may promote notes")
      ->check(CLI::Range(0, 16));
  command
      .add_option("--register-cadence", asked.cadence_tokens, "tokens between a register's notes")
      ->check(CLI::Range(1, 1 << 20));
  command
      .add_option("--most-gate-threshold", asked.most_threshold,
                  "a session's is drawn from 0 to this, so that all sorts of notes are promoted")
      ->check(CLI::Range(0.0, 1.0));
  command
      .add_option("--counterfactuals", asked.share,
                  "share of promotions whose session is run again without them")
      ->check(CLI::Range(0.0, 1.0));
  command.add_option("--seed", options.seed, "of problems and samples")
      ->check(CLI::NonNegativeNumber);
  auto* parallel =
      command.add_option("--parallel", options.parallel, "problems at once; 1 with registers")
          ->check(CLI::Range(1, 64));
  command.add_option("--suites", flags->suites, "folder of suites whose problems are held out");
  command.add_flag("--json", flags->json, "the summary as one JSON object");
  command.callback([flags, minutes, problems, parallel, &run] {
    if (minutes->count() + problems->count() == 0)
      throw CLI::RequiredError("--minutes or --problems");
    // What is decoded beside a session changes the last bits of its logits, and soon its tokens:
    // two runs of one session differ by the promotion alone when each is alone.
    if (flags->options.counterfactuals.registers > 0 && parallel->count() == 0)
      flags->options.parallel = 1;
    run = [flags] { return self_play_command(*flags); };
  });
}

}  // namespace polyphon
