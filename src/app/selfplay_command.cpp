// polyphon selfplay: rollouts on generated and proposed problems, for training. SIGINT or SIGTERM
// lets what runs end; the same command goes on from there.
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "app/command.h"
#include "app/stop_signal.h"
#include "app/usage.h"
#include "base/error.h"
#include "deploy/load.h"
#include "deploy/share_folder.h"
#include "selfplay/recall_rollouts.h"
#include "selfplay/selfplay.h"
#include "server/remote_player.h"

namespace polyphon {
namespace {

struct SelfPlayFlags {
  ModelFlags model;
  std::vector<std::string> servers;
  std::string output;
  double minutes = 0;
  bool json = false, recall = false;
  int recall_streams = 0;  // 0: not given
  std::vector<std::string> topologies;
  int budget_tokens = 512;  // of each topology
  SelfPlayOptions options;
};

// Where OpenAI's clients look for it.
std::string api_key() {
  const char* const key = std::getenv("OPENAI_API_KEY");
  return key ? key : "";
}

// Who plays: the servers that are named, else the model in this process.
struct Players {
  std::unique_ptr<Reasoner> reasoner;  // null with servers
  std::vector<std::unique_ptr<Player>> all;

  explicit Players(const SelfPlayFlags& flags) {
    if (!flags.servers.empty()) {
      const std::string key = api_key();
      for (const std::string& address : flags.servers)
        all.push_back(std::make_unique<RemotePlayer>(address, key));
      return;
    }
    Config config = flags.model.config();
    config.reason.workspace.measure_effect =
        false;  // a promotion's counterfactual says what it did
    if (!flags.topologies.empty()) config.reason.caps.auto_budget_tokens = flags.budget_tokens;
    reasoner = load_reasoner(config);
    all.push_back(std::make_unique<ReasonerPlayer>(*reasoner));
  }

  std::vector<Player*> pointers() const {
    std::vector<Player*> pointers;
    for (const auto& player : all) pointers.push_back(player.get());
    return pointers;
  }
};

std::string rows(const std::map<Cell, CellCounts>& cells, const char* problems) {
  std::string text = fmt::format("{:<20}{:>10}{:>10}{:>9}{:>11}{:>8}\n", "family", "difficulty",
                                 problems, "success", "any right", "mixed");
  const auto percent = [](int of, int all) { return 100.0 * of / std::max(1, all); };
  for (const auto& [cell, counts] : cells)
    text += fmt::format("{:<20}{:>10}{:>10}{:>8.1f}%{:>10.1f}%{:>7.1f}%\n", cell.family,
                        cell.difficulty, counts.problems, percent(counts.right, counts.streams),
                        percent(counts.any_right, counts.problems),
                        percent(counts.mixed, counts.problems));
  return text;
}

void print_summary(const SelfPlayReport& report) {
  std::string text = rows(report.cells, "problems");
  if (!report.proposed.empty()) text += rows(report.proposed, "proposed");
  for (const Cell& cell : report.cold)
    text += fmt::format("no success in {}/{}: a cold start by worked solutions\n", cell.family,
                        cell.difficulty);
  text += fmt::format("{} problems, {} of earlier runs; {} skipped as held out\n", report.problems,
                      report.resumed, report.held_out_skipped);
  const ProposalCounts& of = report.proposals;
  if (of.asked() > 0)
    text += fmt::format(
        "{} proposals: {} taken, {} malformed, {} unsolvable, {} held out, {} seen before\n",
        of.asked(), of.taken, of.malformed, of.unsolvable, of.held_out, of.seen);
  if (report.promotions > 0)
    text += fmt::format("{} promotions, {} sessions without one of them\n", report.promotions,
                        report.counterfactuals);
  if (report.answers > 0)
    text += fmt::format("{} answers, with one topology each\n", report.answers);
  if (report.searches > 0)
    text +=
        fmt::format("{} searches, {} states played out\n", report.searches, report.labelled_states);
  print_out(text);
}

void warn_of_damage(const RolloutCounts& found) {
  if (found.damaged > 0)
    std::cerr << fmt::format("{} damaged lines are left out: {}\n", found.damaged,
                             found.first_damage);
}

int recall_command(const SelfPlayFlags& flags) {
  Config config = flags.model.config();
  undisturbed_recall(config.reason);
  RecallRolloutOptions options;
  options.seed = flags.options.seed;
  options.sessions = flags.options.problems;
  options.seconds = 60 * flags.minutes;
  if (flags.recall_streams > 0) options.play.streams = flags.recall_streams;
  if (!flags.model.context_cells) config.decoder.context_cells = recall_cells(options.play, {});
  auto reasoner = load_reasoner(config);
  const std::atomic<bool>& stop_asked = stop_on_signals();
  const bool screen = isatty(STDERR_FILENO) != 0;
  int64_t sessions = 0;
  const RolloutCounts found =
      play_recall(*reasoner, options, flags.output, stop_asked, [&](int64_t number) {
        sessions = number;
        if (screen) std::cerr << fmt::format("\r{} sessions\033[K", number);
      });
  if (screen) std::cerr << "\r\033[K";
  warn_of_damage(found);
  sessions = std::max<int64_t>(sessions, found.traces);
  print_out(flags.json ? Json{{"sessions", sessions}, {"resumed", found.traces}}.dump() + "\n"
                       : fmt::format("{} sessions, {} of earlier runs\n", sessions, found.traces));
  return 0;
}

int self_play_command(SelfPlayFlags& flags) {
  flags.options.seconds = 60 * flags.minutes;
  if (!flags.topologies.empty())
    flags.options.topologies = parse_topology_play(flags.topologies, flags.budget_tokens,
                                                   flags.model.config().reason.caps);
  const std::set<std::string> held_out = held_out_texts(share_path("suites"));
  const Players players(flags);
  const std::atomic<bool>& stop_asked = stop_on_signals();
  const bool screen = isatty(STDERR_FILENO) != 0;
  const auto show = [&](const SelfPlayReport& report, const Cell& cell) {
    if (!screen) return;
    const auto& cells = report.cells.contains(cell) ? report.cells : report.proposed;
    const CellCounts& counts = cells.at(cell);
    std::cerr << fmt::format("\r{} problems · {}/{} {:.0f} % of {}\033[K",
                             report.resumed + report.problems, cell.family, cell.difficulty,
                             100 * counts.success(), counts.streams);
  };
  const auto tell_dropped = [&](const std::string& player, const Error& error) {
    std::cerr << fmt::format("{}{} plays no more: {}\n", screen ? "\r\033[K" : "", player,
                             error.what());
  };
  const SelfPlayReport report = self_play(players.pointers(), flags.options, held_out, flags.output,
                                          stop_asked, {show, tell_dropped});
  if (screen) std::cerr << "\r\033[K";
  warn_of_damage(report.found);
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
      *app.add_subcommand("selfplay", "Attempt generated problems, to learn from the attempts");
  flags->model.add_to(command);
  const std::vector<CLI::Option*> of_model =
      command.get_options([](const CLI::Option* option) { return option->get_name() != "--help"; });
  auto* servers =
      command
          .add_option("--servers", flags->servers,
                      "Addresses of running `polyphon serve`, comma separated, that play instead "
                      "of this process; their API key is OPENAI_API_KEY of the environment")
          ->delimiter(',')
          ->default_str("none");
  for (CLI::Option* option : of_model) servers->excludes(option);
  auto* families =
      command.add_option("--families", options.families, "Families of problems, comma separated")
          ->delimiter(',')
          ->default_str("none: needed without --recall");
  command
      .add_flag("--recall", flags->recall,
                "Sessions that state facts and ask for them, for the heads of memory")
      ->excludes(families)
      ->excludes(servers);
  command
      .add_option("--output", flags->output,
                  "Folder of the traces; a run goes on from what is there")
      ->required();
  auto* minutes = command.add_option("--minutes", flags->minutes, "Longest run, in minutes")
                      ->check(above_zero())
                      ->default_str("no limit");
  auto* problems = command
                       .add_option("--problems", options.problems,
                                   "Most problems in the folder, those of earlier runs included")
                       ->check(at_least(1))
                       ->default_str("no limit");
  auto* streams =
      command
          .add_option("--streams", options.streams,
                      "Streams of a problem; the config's max_streams allows 32 at most")
          ->check(at_least(2))
          ->default_str("8; with --recall, 16");
  auto* tokens = command.add_option("--tokens", options.tokens, "Token budget of a stream")
                     ->check(in_range(1, Topology::kMaxStreamTokens));
  command
      .add_option("--proposed-share", options.proposed_share,
                  "Share of the problems that the model proposes itself. They do not change the "
                  "difficulty")
      ->check(in_real_range(0, 1));
  auto* topologies =
      command
          .add_option("--topologies", flags->topologies,
                      "Topologies that each problem is played with, comma separated, as "
                      "1x512,4x128,auto; all: auto and those it chooses from")
          ->delimiter(',')
          ->excludes(streams)
          ->excludes(tokens)
          ->excludes("--proposed-share")
          ->excludes("--recall")
          ->default_str("one, of --streams and --tokens");
  command.add_option("--budget", flags->budget_tokens, "Tokens that each topology may spend")
      ->check(in_range(32, 1 << 20))
      ->needs(topologies);
  CounterfactualOptions& asked = options.counterfactuals;
  command
      .add_option("--registers", asked.registers,
                  "Registers of a session, whose notes may be broadcast to its streams")
      ->check(in_range(0, 16))
      ->excludes(topologies);
  command
      .add_option("--register-cadence", asked.cadence_tokens,
                  "Distance between two notes of a register, in tokens of the longest stream")
      ->check(in_range(1, 1 << 20));
  SearchRequest& search = options.search;
  command
      .add_option_function<std::string>(
          "--search", [&search](const std::string& mode) { search.mode = parse_search_mode(mode); },
          "Tree search in the streams, whose states are all played out: never (off), when a "
          "stream is unsure (auto), or always")
      ->check(one_of({"off", "auto", "always"}))
      ->excludes(servers)
      ->excludes(topologies)
      ->default_str("off");
  command
      .add_option("--search-simulations", search.simulations,
                  "Simulations of one search: leaves that are valued")
      ->check(at_least(1));
  command.add_option("--seed", options.seed, "Random seed for problems and sampling")
      ->check(at_least(0));
  auto* parallel =
      command.add_option("--parallel", options.parallel, "Problems at once, of each server")
          ->check(in_range(1, 64))
          ->default_str("4; with registers, 1");
  command.add_flag("--json", flags->json, "The summary as one JSON object");
  command.callback([flags, families, streams, minutes, problems, parallel, &run] {
    if (families->count() == 0 && !flags->recall)
      throw CLI::RequiredError("--families or --recall");
    if (minutes->count() + problems->count() == 0)
      throw CLI::RequiredError("--minutes or --problems");
    if (streams->count() > 0) flags->recall_streams = flags->options.streams;
    // What is decoded beside a session changes the last bits of its logits, and soon its tokens:
    // two runs of one session differ by the promotion alone when each is alone.
    if (flags->options.counterfactuals.registers > 0 && parallel->count() == 0)
      flags->options.parallel = 1;
    run = [flags] { return flags->recall ? recall_command(*flags) : self_play_command(*flags); };
  });
}

}  // namespace polyphon
