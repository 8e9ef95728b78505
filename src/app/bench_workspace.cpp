// polyphon bench workspace: what registers and promotions cost the streams, in pairs with the same
// streams alone; and how many leaves a search decodes at once.
#include <fmt/format.h>

#include <array>

#include "app/bench.h"
#include "app/usage.h"
#include "deploy/load.h"

namespace polyphon {
namespace {

struct WorkspaceFlags {
  ModelFlags model;
  int pairs = 9, cadence = 64, simulations = 64;
  Topology topology{{{8, 256}}};
  bool json = false;
};

struct WorkspaceCondition {
  const char* name;
  int registers;
  double gate_threshold;
};
constexpr std::array<WorkspaceCondition, 3> kConditions = {{{"streams alone", 0, 1},
                                                            {"registers", 3, 1},  // nothing passes
                                                            {"registers and promotions", 3, 0.5}}};

constexpr std::array<const char*, 4> kQuestions = {
    "Pens cost 2 dollars for 3. Tom buys 18 pens and pays with 20 dollars. What is his change?",
    "How does a bicycle stay upright?", "What is 17 * 23 - 45? Think step by step.",
    "Plan three days in a city that you know."};

class WorkspaceBench {
 public:
  WorkspaceBench(const WorkspaceFlags& flags, const Config& config)
      : flags_(flags), reasoner_(load_reasoner(config)) {}

  int run() {
    Json rows = costs();
    rows.push_back(search());
    const Json whole = {{"bench", "workspace"},
                        {"model", reasoner_->model().info().description},
                        {"model_digest", reasoner_->identity().model_digest},
                        {"kernels", compute_info().cpu_variant},
                        {"topology", flags_.topology.to_string()},
                        {"cadence", flags_.cadence},
                        {"pairs", flags_.pairs},
                        {"rows", std::move(rows)}};
    if (flags_.json) print_out(whole.dump() + "\n");
    return 0;
  }

 private:
  Finished think(ThinkInput input, int round) {
    input.chat.messages = {
        {{"role", "user"},
         {"content", kQuestions[static_cast<size_t>(round) % kQuestions.size()]}}};
    input.sampling.seed = static_cast<uint64_t>(round) + 1;
    input.max_answer_tokens = 1;
    input.ignore_eos = true;
    SessionTicket ticket = reasoner_->think(input, {});
    return wait_finished(ticket);
  }

  Finished think(const WorkspaceCondition& condition, int round) {
    ThinkInput input;
    input.topology = flags_.topology;
    input.workspace.registers = condition.registers;
    input.workspace.gate_threshold = condition.gate_threshold;
    input.workspace.cadence_tokens = input.workspace.refractory_tokens = flags_.cadence;
    return think(std::move(input), round);
  }

  Json costs() {
    think(kConditions[0], 0);  // warms up
    std::array<std::vector<double>, kConditions.size()> speeds, ratios;
    std::array<int, kConditions.size()> promotions{}, register_rows{};
    for (int round = 0; round < flags_.pairs; ++round) {
      for (size_t i = 0; i < kConditions.size(); ++i) {
        const size_t turn = (i + static_cast<size_t>(round)) % kConditions.size();
        const Finished finished = think(kConditions[turn], round);
        int tokens = 0;
        for (const Json& stream : finished.polyphon.at("streams"))
          tokens += stream.at("tokens").get<int>();
        speeds[turn].push_back(1000.0 * tokens / finished.timings.streams_ms);
        promotions[turn] += static_cast<int>(finished.polyphon.at("promotions").size());
        for (const Json& cost : finished.polyphon.at("registers"))
          register_rows[turn] += cost.at("rows").get<int>();
      }
      for (size_t i = 0; i < kConditions.size(); ++i)
        ratios[i].push_back(speeds[i].back() / speeds[0].back());
    }
    Json rows = Json::array();
    for (size_t i = 0; i < kConditions.size(); ++i) {
      const Spread speed = spread_of(speeds[i]), ratio = spread_of(ratios[i]);
      if (!flags_.json)
        print_out(
            fmt::format("{:<24}: {:6.1f} tokens/s, {:.3f} of the streams alone ({:.3f} to "
                        "{:.3f}); {} promotions, {} rows of registers in {} sessions\n",
                        kConditions[i].name, speed.median, ratio.median, ratio.least, ratio.most,
                        promotions[i], register_rows[i], flags_.pairs));
      rows.push_back({{"what", kConditions[i].name},
                      {"tokens_per_s", to_json(speed)},
                      {"ratio", to_json(ratio)},
                      {"promotions", promotions[i]},
                      {"register_rows", register_rows[i]}});
    }
    return rows;
  }

  // One stream that searches at every step: no other stream's leaves fill its batches.
  Json search() {
    ThinkInput input;
    input.topology = {{{1, 256}}};
    input.search.mode = SearchMode::kAlways;
    input.search.simulations = flags_.simulations;
    const Json found = think(std::move(input), 0).polyphon.at("search");
    const auto simulations = found.at("simulations").get<int>();
    const auto leaves = found.at("leaves_per_step").get<double>();
    if (!flags_.json)
      print_out(fmt::format("{:<24}: {} simulations, {:.1f} leaves a step\n", "search", simulations,
                            leaves));
    return {{"what", "search"}, {"simulations", simulations}, {"leaves_per_step", leaves}};
  }

  WorkspaceFlags flags_;
  std::unique_ptr<Reasoner> reasoner_;
};

}  // namespace

void add_workspace_bench(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<WorkspaceFlags>();
  CLI::App& command =
      *bench.add_subcommand("workspace", "Measure what registers and broadcasts cost");
  flags->model.add_to(command);
  command.add_flag("--json", flags->json, "One JSON object instead of text");
  command.add_option("--pairs", flags->pairs, "Sessions of each kind")->check(in_range(1, 1000));
  command
      .add_option("--register-cadence", flags->cadence,
                  "Distance between two notes of a register, in tokens of the longest stream")
      ->check(in_range(1, 4096));
  command
      .add_option("--simulations", flags->simulations,
                  "Simulations of one search: leaves that are valued")
      ->check(in_range(2, 4096));
  command
      .add_option_function<std::string>(
          "--topology",
          [flags](const std::string& text) { flags->topology = parse_topology(text); },
          "Streams and the token budget of each")
      ->check(parsed_by([](const std::string& text) { parse_topology(text); }))
      ->default_str("8x256");
  command.callback([flags, &run] {
    run = [flags] { return WorkspaceBench(*flags, flags->model.config()).run(); };
  });
}

}  // namespace polyphon
