// polyphon selfplay: rollouts on generated and proposed problems, for training. SIGINT or SIGTERM
// lets what runs end; the same command goes on from there.
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>

#include "app/command.h"
#include "app/load.h"
#include "app/share_folder.h"
#include "base/error.h"
#include "pipeline/recall_rollouts.h"
#include "pipeline/selfplay.h"
#include "server/remote_player.h"

namespace polyphon {
namespace {

std::atomic<bool> stop_asked = false;

struct SelfPlayFlags {
  ModelFlags model;
  std::vector<std::string> servers;
  std::string key_file;
  std::string output, suites;
  double minutes = 0;
  bool json = false, recall = false;
  int recall_streams = 0;  // 0: not given
  std::vector<std::string> topologies;
  int budget_tokens = 512;  // of each topology
  SelfPlayOptions options;
};

// As OpenAI's clients have it, when no file is named.
std::string api_key(const std::string& path) {
  if (path.empty()) {
    const char* const key = std::getenv("OPENAI_API_KEY");
    return key ? key : "";
  }
  std::ifstream file(path);
  std::string key;
  if (!(file >> key)) throw Error(ErrorCode::kNotFound, "no key in the file " + path);
  return key;
}

// Who plays: the servers that are named, else the model in this process.
struct Players {
  std::unique_ptr<Reasoner> reasoner;  // null with servers
  std::vector<std::unique_ptr<Player>> all;

  explicit Players(const SelfPlayFlags& flags) {
    if (!flags.servers.empty()) {
      const std::string key = api_key(flags.key_file);
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

void stop_on_signals() {
  for (const int signal : {SIGINT, SIGTERM})
    std::signal(signal, [](int) { stop_asked.store(true); });
}

void warn_of_damage(const RolloutCounts& found) {
  if (found.damaged > 0)
    std::cerr << fmt::format("{} damaged lines are left out: {}\n", found.damaged,
                             found.first_damage);
}

int recall_command(const SelfPlayFlags& flags) {
  Config config = flags.model.config();
  if (flags.model.context_cells == 0) config.decoder.context_cells = kRecallCells;
  undisturbed_recall(config.reason);
  RecallRolloutOptions options;
  options.seed = flags.options.seed;
  options.sessions = flags.options.problems;
  options.seconds = 60 * flags.minutes;
  if (flags.recall_streams > 0) options.play.streams = flags.recall_streams;
  auto reasoner = load_reasoner(config);
  stop_on_signals();
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
  const std::set<std::string> held_out =
      held_out_texts(flags.suites.empty() ? share_path("suites") : flags.suites);
  const Players players(flags);
  stop_on_signals();
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
    std::cerr << fmt::format("{}polyphon: {} plays no more: {}\n", screen ? "\r\033[K" : "", player,
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
      *app.add_subcommand("selfplay", "attempts at generated problems, to learn from");
  flags->model.add_to(command);
  const std::vector<CLI::Option*> of_model =
      command.get_options([](const CLI::Option* option) { return option->get_name() != "--help"; });
  auto* servers =
      command
          .add_option("--servers", flags->servers,
                      "addresses of `polyphon serve`, comma separated, that play instead")
          ->delimiter(',');
  for (CLI::Option* option : of_model) servers->excludes(option);
  command.add_option("--key-file", flags->key_file, "the servers' key; else OPENAI_API_KEY")
      ->needs(servers);
  auto* families =
      command.add_option("--families", options.families, "of problems, comma separated")
          ->delimiter(',');
  command
      .add_flag("--recall", flags->recall,
                "instead, sessions that state facts and ask for them, for memory's heads")
      ->excludes(families)
      ->excludes(servers);
  command.add_option("--output", flags->output, "folder of traces; a run goes on in its own")
      ->required();
  auto* minutes = command.add_option("--minutes", flags->minutes, "at most, of this run")
                      ->check(CLI::PositiveNumber);
  auto* problems = command.add_option("--problems", options.problems, "at most, in the folder")
                       ->check(CLI::PositiveNumber);
  auto* streams = command.add_option("--streams", options.streams, "a problem; of recall 16")
                      ->check(CLI::Range(2, Topology::kMaxStreams));
  auto* tokens = command.add_option("--tokens", options.tokens, "a stream")
                     ->check(CLI::Range(1, Topology::kMaxStreamTokens));
  command.add_option("--temperature", options.temperature, "middle of the streams' ladder")
      ->check(CLI::Range(0.0, 4.0));
  command
      .add_option("--proposed-share", options.proposed_share,
                  "of the problems that the model proposes itself; they turn no dial")
      ->check(CLI::Range(0.0, 1.0));
  auto* topologies =
      command
          .add_option(
              "--topologies", flags->topologies,
              "each problem is played with all of these, comma separated: 1x512,4x128,auto; "
              "all: what auto chooses from, and auto")
          ->delimiter(',')
          ->excludes(streams)
          ->excludes(tokens)
          ->excludes("--proposed-share")
          ->excludes("--recall");
  command.add_option("--budget", flags->budget_tokens, "tokens of each topology")
      ->check(CLI::Range(32, 1 << 20))
      ->needs(topologies);
  CounterfactualOptions& asked = options.counterfactuals;
  command.add_option("--registers", asked.registers, "of a session, which may promote notes")
      ->check(CLI::Range(0, 16))
      ->excludes(topologies);
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
  SearchRequest& search = options.search;
  command
      .add_option_function<std::string>(
          "--search", [&search](const std::string& mode) { search.mode = parse_search_mode(mode); },
          "off, auto or always: streams search, and every state of their trees is played out")
      ->check(CLI::IsMember({"off", "auto", "always"}))
      ->excludes(servers)
      ->excludes(topologies);
  command.add_option("--searches", search.max_stream_searches, "at most, of a stream");
  command.add_option("--search-simulations", search.simulations, "of one search");
  command.add_option("--search-depth", search.depth, "thought steps of a branch");
  command.add_option("--search-tokens", search.max_tokens,
                     "of a session's branches and of what is played out from them");
  command.add_option("--seed", options.seed, "of problems and samples")
      ->check(CLI::NonNegativeNumber);
  auto* parallel = command
                       .add_option("--parallel", options.parallel,
                                   "problems at once, of each server; 1 with registers")
                       ->check(CLI::Range(1, 64));
  command.add_option("--suites", flags->suites, "folder of suites whose problems are held out");
  command.add_flag("--json", flags->json, "the summary as one JSON object");
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
