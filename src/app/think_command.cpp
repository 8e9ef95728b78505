// polyphon think: one problem from the command line.
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <iterator>
#include <optional>
#include <random>

#include "app/command.h"
#include "app/load.h"
#include "app/think_view.h"
#include "base/error.h"
#include "base/utf8.h"
#include "reason/plan.h"

namespace polyphon {
namespace {

struct ThinkFlags {
  ModelFlags model;
  std::string problem, system, topology, merge, trace_path;
  uint64_t seed = 0;
  bool seeded = false;
  float temperature = 0.8f;
  int max_answer_tokens = 0;
  bool json = false, ignore_eos = false, narrow = false;
  std::optional<int> registers, register_cadence, gate_refractory;
  std::optional<double> gate_threshold;
  std::string search;
  std::optional<int> search_simulations;
  bool memory = false;
  std::optional<int> memory_window;
};

// What is shown while it happens, on standard error; the answer goes to standard output.
class ThinkReporter {
 public:
  explicit ThinkReporter(bool quiet)
      : quiet_(quiet), screen_(!quiet && isatty(STDERR_FILENO) != 0) {}

  void operator()(const SessionEvent& event) {
    if (const auto* started = std::get_if<StreamStarted>(&event)) {
      if (static_cast<int>(streams_.size()) <= started->stream) streams_.emplace_back();
      streams_[started->stream].id = started->stream;
      streams_[started->stream].strategy = started->strategy;
    } else if (const auto* thought = std::get_if<ThoughtDelta>(&event)) {
      streams_[thought->stream].text += thought->text;
      ++streams_[thought->stream].tokens;
      if (screen_ && ++drawn_ % static_cast<int>(streams_.size()) == 0) view_.draw(streams_);
    } else if (const auto* ended = std::get_if<StreamEnded>(&event)) {
      streams_[ended->stream].finish_reason = ended->finish_reason;
      streams_[ended->stream].tokens = ended->tokens;
      if (screen_) view_.draw(streams_);
      if (!screen_ && !quiet_)
        std::cerr << fmt::format("stream {} ({}): {} tokens, {}, answer: {}\n", ended->stream,
                                 streams_[ended->stream].strategy, ended->tokens,
                                 ended->finish_reason,
                                 ended->answer.empty() ? "none" : ended->answer);
    } else if (const auto* promoted = std::get_if<Promoted>(&event)) {
      if (!quiet_)
        std::cerr << fmt::format("promotion {} ({}, p {:.2f}): {}\n", promoted->promotion,
                                 promoted->source, promoted->probability, promoted->text);
    } else if (const auto* recalled = std::get_if<Recalled>(&event)) {
      if (!quiet_)
        std::cerr << fmt::format("stream {} recalls ({}): {}\n", recalled->stream, recalled->by,
                                 fmt::join(recalled->texts, " | "));
    } else if (const auto* began = std::get_if<SearchBegan>(&event)) {
      if (!quiet_)
        std::cerr << fmt::format("search {}.{} began ({})\n", began->stream, began->search,
                                 began->trigger);
    } else if (const auto* found = std::get_if<SearchEnded>(&event)) {
      if (!quiet_)
        std::cerr << fmt::format(
            "search {}.{} committed {} of {} tokens: {} simulations, {:.1f} leaves a step\n",
            found->stream, found->search, found->committed_tokens, found->tokens,
            found->simulations, found->leaves_per_step);
    } else if (const auto* answer = std::get_if<AnswerDelta>(&event)) {
      if (screen_ && answer_.empty()) {
        view_.leave();
        std::cerr << "\nanswer\n";
      }
      answer_ += answer->text;
      if (!quiet_) print_out(answer->text);
    }
  }

  const std::string& answer() const { return answer_; }
  std::string reasoning() const {
    std::string text;
    for (const StreamView& stream : streams_)
      text += fmt::format("[stream {}: {}]\n{}\n\n", stream.id, stream.strategy, stream.text);
    return text;
  }

 private:
  bool quiet_;
  bool screen_;
  ThinkScreen view_;
  std::vector<StreamView> streams_;
  std::string answer_;
  int drawn_ = 0;
};

ThinkInput input_of(const ThinkFlags& flags, const Config& config) {
  std::string problem = flags.problem;
  if (problem == "-") problem.assign(std::istreambuf_iterator<char>(std::cin), {});
  if (problem.empty()) throw Error(ErrorCode::kInvalidArgument, "the problem is empty");
  if (!is_valid_utf8(problem) || !is_valid_utf8(flags.system))
    throw Error(ErrorCode::kInvalidArgument, "the problem is not valid UTF-8");
  ThinkInput input;
  input.chat.messages = Json::array();
  if (!flags.system.empty())
    input.chat.messages.push_back({{"role", "system"}, {"content", flags.system}});
  input.chat.messages.push_back({{"role", "user"}, {"content", problem}});
  input.topology = flags.topology.empty() ? config.reason.topology : parse_topology(flags.topology);
  input.merge = flags.merge.empty() ? config.reason.merge : parse_merge_mode(flags.merge);
  input.sampling.temperature = flags.temperature;
  input.sampling.seed = flags.seeded ? flags.seed : std::random_device{}();
  input.answer_sampling = input.sampling;
  input.max_answer_tokens =
      flags.max_answer_tokens > 0 ? flags.max_answer_tokens : config.reason.max_answer_tokens;
  WorkspaceRequest& workspace = input.workspace = config.reason.workspace.defaults;
  workspace.registers = flags.registers.value_or(workspace.registers);
  workspace.gate_threshold = flags.gate_threshold.value_or(workspace.gate_threshold);
  workspace.cadence_tokens = flags.register_cadence.value_or(workspace.cadence_tokens);
  workspace.refractory_tokens = flags.gate_refractory.value_or(workspace.refractory_tokens);
  input.search = config.reason.search;
  if (!flags.search.empty()) input.search.mode = parse_search_mode(flags.search);
  input.search.simulations = flags.search_simulations.value_or(input.search.simulations);
  input.memory = config.reason.memory.defaults;
  input.memory.enabled = input.memory.enabled || flags.memory || flags.memory_window;
  input.memory.window_tokens = flags.memory_window.value_or(input.memory.window_tokens);
  input.narrow = flags.narrow;
  input.ignore_eos = flags.ignore_eos;
  return input;
}

// KV cells for the plan, when the user did not say: everything it can use and room for the prompt.
int cells_for(const ThinkInput& input, const Config& config) {
  const long long budget = input.topology.is_auto() ? config.reason.caps.auto_budget_tokens
                                                    : input.topology.budget_tokens();
  int streams = 16;
  for (const Phase& phase : input.topology.phases) streams = std::max(streams, phase.streams);
  const bool again = input.merge == MergeMode::kPrefill || input.merge == MergeMode::kCompact;
  const long long text = static_cast<long long>(input.chat.messages.dump().size());
  long long cells =
      (again ? 2 : 1) * budget + streams * 160 + text + input.max_answer_tokens + 1024;
  const WorkspaceRequest& workspace = input.workspace;
  if (workspace.registers > 0 && workspace.cadence_tokens > 0 && workspace.refractory_tokens > 0)
    cells += 48LL * workspace.registers * (budget / workspace.cadence_tokens + 1) +
             32LL * streams * (budget / workspace.refractory_tokens + 1);
  if (input.search.on()) cells += input.search.max_tokens;
  if (input.memory.enabled) cells += streams * (32LL + input.memory.max_recall_tokens) + 512;
  return static_cast<int>(std::clamp<long long>((cells + 255) / 256 * 256, 4096, 1 << 20));
}

int think(ThinkFlags& flags) {
  Config config = flags.model.config();
  const ThinkInput input = input_of(flags, config);
  validate(input.sampling, 1 << 30);
  validate(input.workspace, config.reason.workspace);
  validate(input.search);
  validate(input.memory);
  if (flags.model.context_cells == 0 && flags.model.config_path.empty())
    config.decoder.context_cells = cells_for(input, config);
  if (!flags.trace_path.empty()) prepare_trace_file(flags.trace_path);
  auto reasoner = load_reasoner(config);
  ThinkReporter report(flags.json);
  SessionTicket ticket = reasoner->think(input, {});
  const Finished result = wait_finished(ticket, std::ref(report));

  if (!flags.trace_path.empty()) append_trace(flags.trace_path, *result.trace);
  if (flags.json) {
    const Json out = {
        {"answer", report.answer()},
        {"reasoning_content", report.reasoning()},
        {"polyphon", result.polyphon},
        {"usage",
         {{"prompt_tokens", result.usage.prompt_tokens},
          {"completion_tokens", result.usage.completion_tokens},
          {"total_tokens", result.usage.prompt_tokens + result.usage.completion_tokens},
          {"completion_tokens_details", {{"reasoning_tokens", result.usage.reasoning_tokens}}}}}};
    print_out(out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    return 0;
  }
  print_out("\n");
  std::cerr << fmt::format(
      "\n{} · {} thought tokens in {:.1f} s ({:.0f}/s) · prompt {} tokens\n"
      "merge {} tokens, {:.0f} ms to the first answer token · total {:.1f} s\n",
      result.polyphon.at("topology").get<std::string>(), result.usage.reasoning_tokens,
      result.timings.streams_ms / 1000,
      1000.0 * result.usage.reasoning_tokens / std::max(1.0, result.timings.streams_ms),
      result.timings.prompt_tokens, result.timings.merge_prefill_tokens, result.timings.merge_ms,
      result.timings.total_ms / 1000);
  return 0;
}

}  // namespace

void add_think_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<ThinkFlags>();
  CLI::App& command = *app.add_subcommand("think", "think one problem through");
  flags->model.add_to(command);
  command.add_option("problem", flags->problem, "the problem; - reads standard input")->required();
  command.add_option("--topology", flags->topology, "8x256, 4x512>1x2048, auto");
  command.add_option("--merge", flags->merge, "kv, prefill, compact, vote");
  command.add_option("--system", flags->system, "system message");
  auto* seed = command.add_option("--seed", flags->seed, "same seed, same text")
                   ->check(CLI::NonNegativeNumber);
  command.add_option("--temperature", flags->temperature, "middle of the streams' ladder");
  command.add_option("--max-answer-tokens", flags->max_answer_tokens, "of the merged answer")
      ->check(CLI::Range(1, 1 << 20));
  command.add_option("--trace", flags->trace_path, "append the trace to this JSON-lines file");
  command.add_flag("--json", flags->json, "one JSON object on standard output");
  command.add_flag("--narrow", flags->narrow, "narrow a topology that does not fit");
  command.add_flag("--ignore-eos", flags->ignore_eos, "streams run to their budget");
  command.add_option("--registers", flags->registers, "background registers that read all streams");
  command.add_option("--gate-threshold", flags->gate_threshold,
                     "a note interrupts the streams when its probability is above this");
  command.add_option("--register-cadence", flags->register_cadence, "tokens between two notes");
  command.add_option("--gate-refractory", flags->gate_refractory, "tokens between two promotions");
  command.add_option("--search", flags->search,
                     "tree search within a stream: off, auto (when it is unsure), always");
  command.add_option("--search-simulations", flags->search_simulations, "of one search");
  command.add_flag("--memory", flags->memory, "streams remember and recall (docs/memory.md)");
  command.add_option("--memory-window", flags->memory_window,
                     "own tokens that a stream keeps in view; implies --memory");
  command.callback([flags, seed, &run] {
    flags->seeded = seed->count() > 0;
    run = [flags] { return think(*flags); };
  });
}

}  // namespace polyphon
