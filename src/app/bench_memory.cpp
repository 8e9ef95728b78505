// polyphon bench memory: facts that a stream marked come back exactly after its window has passed
// over them, against the same stream without recalls, and against one that sees all of its text.
#include <fmt/format.h>

#include <algorithm>

#include "app/bench.h"
#include "app/usage.h"
#include "base/error.h"
#include "deploy/load.h"
#include "tasks/recall_script.h"

namespace polyphon {
namespace {

struct MemoryFlags {
  ModelFlags model;
  int facts = 100, window = 512, times = 4, top_k = 2;
  uint64_t seed = 1;
  bool json = false, full = false;
  std::string trace_path;
};

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
  MemoryBench(const MemoryFlags& flags, const Config& config)
      : flags_(flags),
        reasoner_(load_reasoner(config)),
        script_(make_recall_script(reasoner_->model().vocabulary(), flags.facts, kTokensBefore,
                                   flags.times * flags.window, flags.seed)) {}

  int run() {
    Json rows = Json::array();
    rows.push_back(measure("memory", Condition::kMemory));
    rows.push_back(measure("window alone", Condition::kWindowOnly));
    if (flags_.full) rows.push_back(measure("all in view", Condition::kFullView));
    const Json whole = {
        {"bench", "memory"},
        {"machine", {{"cpu", processor()}, {"kernels", compute_info().cpu_variant}}},
        {"model", reasoner_->model().info().description},
        {"model_digest", reasoner_->identity().model_digest},
        {"facts", flags_.facts},
        {"window", flags_.window},
        {"tokens_between", script_.story.size() - script_.last_fact_end},
        {"tokens", script_.story.size()},
        {"top_k", flags_.top_k},
        {"seed", flags_.seed},
        {"rows", std::move(rows)}};
    if (flags_.json) print_out(whole.dump() + "\n");
    return 0;
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
    memory.window_tokens = condition == Condition::kFullView ? 0 : flags_.window;
    memory.max_nodes = flags_.facts + kOtherNodes;
    memory.max_recall_tokens = condition == Condition::kMemory ? flags_.top_k * 40 : 0;
    memory.top_k = flags_.top_k;
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
    if (!flags_.json)
      print_out(fmt::format("{:<12}: {} of {} exact; {} recalls found their node; {:.1f} s\n", name,
                            counts.exact, flags_.facts, counts.found, counts.seconds));
    return {{"what", name},
            {"exact", counts.exact},
            {"of", flags_.facts},
            {"nodes_found", counts.found},
            {"seconds", counts.seconds},
            {"missed", std::move(counts.missed)}};
  }

  void ask(const RecallScript& script, Condition condition, Counts& counts) {
    SessionTicket ticket = reasoner_->think(input(script, condition), {});
    const Finished finished = wait_finished(ticket);
    if (!flags_.trace_path.empty()) append_trace(flags_.trace_path, *finished.trace);
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

  MemoryFlags flags_;
  std::unique_ptr<Reasoner> reasoner_;
  RecallScript script_;
};

int bench_memory(const MemoryFlags& flags) {
  Config config = flags.model.config();
  if (!flags.model.context_cells)
    config.decoder.context_cells = flags.times * flags.window + flags.facts * 200 + 1024;
  // Every node and every question holds a sequence id; the questions differ in nothing else.
  config.engine.max_cached_prefixes = 0;
  config.reason.caps.max_streams = Topology::kMaxStreams;
  config.reason.caps.max_budget_tokens = 1 << 20;
  config.reason.strategies.resize(1);
  config.reason.temperature_ladder = 0;
  return MemoryBench(flags, config).run();
}

}  // namespace

void add_memory_bench(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<MemoryFlags>();
  CLI::App& command =
      *bench.add_subcommand("memory", "Measure how many facts from beyond the window come back");
  flags->model.add_to(command);
  command.add_flag("--json", flags->json, "One JSON object instead of text");
  command.add_option("--facts", flags->facts, "Facts that are planted")
      ->check(in_range(1, kMostFacts));
  command.add_option("--window", flags->window, "Tokens that the stream keeps in view")
      ->check(in_range(32, 8192));
  command
      .add_option("--times", flags->times, "Length of the other text after the facts, in windows")
      ->check(in_range(1, 64));
  command.add_option("--top-k", flags->top_k, "Nodes of one recall")->check(in_range(1, 16));
  command.add_option("--seed", flags->seed, "Random seed for facts and text")->check(at_least(0));
  command.add_option("--trace", flags->trace_path, "JSON-lines file that traces are added to")
      ->default_str("none");
  command.add_flag("--full", flags->full, "Also a run with all of the text in view");
  command.callback([flags, &run] { run = [flags] { return bench_memory(*flags); }; });
}

}  // namespace polyphon
