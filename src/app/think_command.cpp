// polyphon think: one problem from the command line.
#include <fmt/format.h>

#include <iostream>
#include <iterator>
#include <optional>
#include <random>

#include "app/command.h"
#include "app/model_offer.h"
#include "app/think_reporter.h"
#include "app/thought_flags.h"
#include "app/usage.h"
#include "base/error.h"
#include "base/utf8.h"
#include "deploy/load.h"
#include "record/codec.h"
#include "record/trace_file.h"
#include "sessions/capacity.h"

namespace polyphon {
namespace {

struct ThinkFlags {
  ThoughtFlags thought;
  std::string problem, system, trace_path;
  uint64_t seed = 0;
  bool seeded = false;
  bool json = false, ignore_eos = false;
};

ThinkInput input_of(const ThinkFlags& flags, const Config& config) {
  std::string problem = flags.problem;
  if (problem == "-") problem.assign(std::istreambuf_iterator<char>(std::cin), {});
  if (problem.empty()) throw Error(ErrorCode::kInvalidArgument, "the problem is empty");
  if (!is_valid_utf8(problem) || !is_valid_utf8(flags.system))
    throw Error(ErrorCode::kInvalidArgument, "the problem is not valid UTF-8");
  ThinkInput input = flags.thought.input(config);
  input.chat.messages = Json::array();
  if (!flags.system.empty())
    input.chat.messages.push_back({{"role", "system"}, {"content", flags.system}});
  input.chat.messages.push_back({{"role", "user"}, {"content", problem}});
  input.sampling.seed = flags.seeded ? flags.seed : std::random_device{}();
  input.answer_sampling = input.sampling;
  input.ignore_eos = flags.ignore_eos;
  return input;
}

int think(ThinkFlags& flags) {
  const ModelFlags& model = flags.thought.model;
  Config config = model.config();
  const ThinkInput input = input_of(flags, config);
  validate(input.sampling, 1 << 30);
  if (!model.context_cells && model.config_path.empty())
    config.decoder.context_cells = context_cells(input, config.reason);
  offer_model(config.model);
  if (!flags.trace_path.empty()) prepare_trace_file(flags.trace_path);
  auto reasoner = load_reasoner(config);
  ThinkReporter report(flags.json ? ThinkShown::kNothing : ThinkShown::kStreamsAndAnswer);
  SessionTicket ticket = reasoner->think(input, {});
  const Finished result = wait_finished(ticket, std::ref(report));

  if (!flags.trace_path.empty()) append_trace(flags.trace_path, *result.trace);
  if (flags.json) {
    const Json out = {
        {"answer", report.answer()},
        {"reasoning_content", report.reasoning()},
        {"polyphon", polyphon_object(*result.trace)},
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
      result.trace->result.topology.to_string(), result.usage.reasoning_tokens,
      result.timings.streams_ms / 1000,
      1000.0 * result.usage.reasoning_tokens / std::max(1.0, result.timings.streams_ms),
      result.timings.prompt_tokens, result.timings.merge_prefill_tokens, result.timings.merge_ms,
      result.timings.total_ms / 1000);
  return 0;
}

}  // namespace

void add_think_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<ThinkFlags>();
  CLI::App& command = *app.add_subcommand("think", "Think one problem through in several streams");
  command.add_option("problem", flags->problem, "Problem in one argument; -: standard input")
      ->required();
  flags->thought.add_to(command);
  command.get_option("--ctx-size")->default_str("what the topology needs");
  command.add_option("--system", flags->system, "System message before the problem")
      ->default_str("none");
  auto* seed = command.add_option("--seed", flags->seed, "Random seed of the sampling")
                   ->check(at_least(0))
                   ->default_str("another one each time");
  command.add_option("--trace", flags->trace_path, "JSON-lines file that the trace is added to")
      ->default_str("none");
  command.add_flag("--json", flags->json, "One JSON object instead of text");
  command.add_flag("--ignore-eos", flags->ignore_eos, "Streams that always spend their budget");
  command.callback([flags, seed, &run] {
    flags->seeded = seed->count() > 0;
    run = [flags] { return think(*flags); };
  });
}

}  // namespace polyphon
