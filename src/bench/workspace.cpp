#include "bench/workspace.h"

#include <fmt/format.h>

#include <array>

#include "deploy/load.h"

namespace polyphon {
namespace {

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
  WorkspaceBench(const WorkspaceBenchOptions& options, const Config& config,
                 const OnFigure& on_figure)
      : options_(options), on_figure_(on_figure), reasoner_(load_reasoner(config)) {}

  Json run() {
    Json rows = costs();
    rows.push_back(search());
    Json whole = result_head("workspace", *reasoner_);
    whole.update({{"topology", options_.topology.to_string()},
                  {"cadence", options_.cadence},
                  {"pairs", options_.pairs},
                  {"rows", std::move(rows)}});
    return whole;
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
    input.topology = options_.topology;
    input.workspace.registers = condition.registers;
    input.workspace.gate_threshold = condition.gate_threshold;
    input.workspace.cadence_tokens = input.workspace.refractory_tokens = options_.cadence;
    return think(std::move(input), round);
  }

  Json costs() {
    think(kConditions[0], 0);  // warms up
    std::array<std::vector<double>, kConditions.size()> speeds, ratios;
    std::array<int, kConditions.size()> promotions{}, register_rows{};
    for (int round = 0; round < options_.pairs; ++round) {
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
      rows.push_back({{"what", kConditions[i].name},
                      {"tokens_per_s", to_json(speed)},
                      {"ratio", to_json(ratio)},
                      {"promotions", promotions[i]},
                      {"register_rows", register_rows[i]}});
      on_figure_(rows.back(),
                 fmt::format("{:<24}: {:6.1f} tokens/s, {:.3f} of the streams alone ({:.3f} to "
                             "{:.3f}); {} promotions, {} rows of registers in {} sessions\n",
                             kConditions[i].name, speed.median, ratio.median, ratio.least,
                             ratio.most, promotions[i], register_rows[i], options_.pairs));
    }
    return rows;
  }

  // One stream that searches at every step: no other stream's leaves fill its batches.
  Json search() {
    ThinkInput input;
    input.topology = {{{1, 256}}};
    input.search.mode = SearchMode::kAlways;
    input.search.simulations = options_.simulations;
    const Json found = think(std::move(input), 0).polyphon.at("search");
    const auto simulations = found.at("simulations").get<int>();
    const auto leaves = found.at("leaves_per_step").get<double>();
    Json row = {{"what", "search"}, {"simulations", simulations}, {"leaves_per_step", leaves}};
    on_figure_(row, fmt::format("{:<24}: {} simulations, {:.1f} leaves a step\n", "search",
                                simulations, leaves));
    return row;
  }

  const WorkspaceBenchOptions& options_;
  const OnFigure& on_figure_;
  std::unique_ptr<Reasoner> reasoner_;
};

}  // namespace

Json bench_workspace(const WorkspaceBenchOptions& options, const Config& config,
                     const OnFigure& on_figure) {
  return WorkspaceBench(options, config, on_figure).run();
}

}  // namespace polyphon
