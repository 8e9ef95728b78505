#include "bench/memory.h"

#include <fmt/format.h>

#include <algorithm>

#include "deploy/load.h"
#include "tasks/recall_script.h"

namespace polyphon {
namespace {

// More than what always stays in view.
constexpr int kTokensBefore = 32;

constexpr int kOtherNodes = 8;  // what is kept beside the facts: the story's end

struct Counts {
  int exact = 0, found = 0;
  double seconds = 0;
  Json missed = Json::array();
};

enum class Condition { kMemory, kWindowOnly, kFullView };

class MemoryBench {
 public:
  MemoryBench(const MemoryBenchOptions& options, const Config& config, const OnFigure& on_figure)
      : options_(options),
        on_figure_(on_figure),
        reasoner_(load_reasoner(config)),
        script_(make_recall_script(reasoner_->model().vocabulary(), options.facts, kTokensBefore,
                                   options.times * options.window, options.seed)) {}

  Json run() {
    Json rows = Json::array();
    rows.push_back(measure("memory", Condition::kMemory));
    rows.push_back(measure("window alone", Condition::kWindowOnly));
    if (options_.full) rows.push_back(measure("all in view", Condition::kFullView));
    Json whole = result_head("memory", *reasoner_);
    whole.update({{"facts", options_.facts},
                  {"window", options_.window},
                  {"tokens_between", script_.story.size() - script_.last_fact_end},
                  {"tokens", script_.story.size()},
                  {"top_k", options_.top_k},
                  {"seed", options_.seed},
                  {"rows", std::move(rows)}});
    return whole;
  }

 private:
  ThinkInput input(const RecallScript& script, Condition condition) const {
    ThinkInput input;
    input.chat.messages = {
        {{"role", "user"}, {"content", "Take notes, then answer my questions from them."}}};
    input.topology = recall_topology(script);
    input.sampling.temperature = input.answer_sampling.temperature = 0;
    input.max_answer_tokens = 1;
    input.ignore_eos = true;
    input.scripts = recall_scripts(script);
    MemoryRequest& memory = input.memory;
    memory.enabled = true;
    memory.window_tokens = condition == Condition::kFullView ? 0 : options_.window;
    memory.max_nodes = options_.facts + kOtherNodes;
    memory.max_recall_tokens = condition == Condition::kMemory ? options_.top_k * 40 : 0;
    memory.top_k = options_.top_k;
    memory.cadence_tokens = 0;   // the markers alone
    memory.write_threshold = 1;  // no sentence passes
    return input;
  }

  Json measure(const std::string& name, Condition condition) {
    Counts counts;
    constexpr size_t kBatch = 50;  // questions of one session
    for (size_t begin = 0; begin < script_.questions.size(); begin += kBatch) {
      RecallScript part = script_;
      const size_t end = std::min(begin + kBatch, script_.questions.size());
      part.questions.assign(script_.questions.begin() + static_cast<std::ptrdiff_t>(begin),
                            script_.questions.begin() + static_cast<std::ptrdiff_t>(end));
      ask(part, condition, counts);
    }
    Json row = {{"what", name},
                {"exact", counts.exact},
                {"of", options_.facts},
                {"nodes_found", counts.found},
                {"seconds", counts.seconds},
                {"missed", std::move(counts.missed)}};
    on_figure_(row, fmt::format("{:<12}: {} of {} exact; {} recalls found their node; {:.1f} s\n",
                                name, counts.exact, options_.facts, counts.found, counts.seconds));
    return row;
  }

  void ask(const RecallScript& script, Condition condition, Counts& counts) {
    SessionTicket ticket = reasoner_->think(input(script, condition), {});
    const Finished finished = wait_finished(ticket);
    if (!options_.trace_path.empty()) append_trace(options_.trace_path, *finished.trace);
    const auto answers = recall_answers(*finished.trace, script, reasoner_->model().vocabulary());
    for (size_t i = 0; i < answers.size(); ++i) {
      const RecallQuestion& question = script.questions[i];
      if (is_exact_recall(answers[i], question.expected))
        ++counts.exact;
      else
        counts.missed.push_back(
            {{"name", question.name}, {"expected", question.expected}, {"said", answers[i]}});
    }
    for (const Json& recall : finished.polyphon.at("memory").at("recalls"))
      counts.found += recall_found_its_node(recall);
    counts.seconds += finished.timings.streams_ms / 1000;
  }

  // The node whose name was asked for is among those that came back.
  static bool recall_found_its_node(const Json& recall) {
    const std::string query = recall.at("query").get<std::string>();
    const std::string name = query.substr(std::min(query.size(), query.find("the ")));
    return std::any_of(recall.at("nodes").begin(), recall.at("nodes").end(), [&](const Json& node) {
      return node.at("text").get<std::string>().find(name) != std::string::npos;
    });
  }

  const MemoryBenchOptions& options_;
  const OnFigure& on_figure_;
  std::unique_ptr<Reasoner> reasoner_;
  RecallScript script_;
};

}  // namespace

Json bench_memory(const MemoryBenchOptions& options, Config config, int context_cells,
                  const OnFigure& on_figure) {
  config.decoder.context_cells = context_cells > 0
                                     ? context_cells
                                     : options.times * options.window + options.facts * 200 + 1024;
  // Every node and every question holds a sequence id; the questions differ in nothing else.
  config.engine.max_cached_prefixes = 0;
  config.reason.caps.max_streams = Topology::kMaxStreams;
  config.reason.caps.max_budget_tokens = 1 << 20;
  config.reason.strategies.resize(1);
  config.reason.temperature_ladder = 0;
  return MemoryBench(options, config, on_figure).run();
}

}  // namespace polyphon
