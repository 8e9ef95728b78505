// polyphon bench: flags and calls.
#include <functional>
#include <memory>

#include "app/command.h"
#include "app/usage.h"
#include "base/error.h"
#include "bench/attention.h"
#include "bench/decode.h"
#include "bench/memory.h"
#include "bench/perplexity.h"
#include "bench/recall.h"
#include "bench/sampler.h"
#include "bench/streams.h"
#include "bench/workspace.h"
#include "tasks/recall_script.h"

namespace polyphon {
namespace {

template <typename Options>
struct BenchFlags {
  ModelFlags model;
  Options options;
  bool json = false;
};

// Prints each figure as it is measured: its text, or with --json its object as a line.
OnFigure print_figures(bool json) {
  return [json](const Json& row, const std::string& text) {
    print_out(json ? row.dump() + "\n" : text);
  };
}

// Prints each figure's text as it is measured; with --json only the whole at the end.
void print_whole(bool json, const std::function<Json(const OnFigure&)>& measure) {
  const Json whole = measure([json](const Json&, const std::string& text) {
    if (!json) print_out(text);
  });
  if (json) print_out(whole.dump() + "\n");
}

void add_streams_bench(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<BenchFlags<StreamsBenchOptions>>();
  StreamsBenchOptions& options = flags->options;
  CLI::App& streams =
      *bench.add_subcommand("streams", "Measure throughput, time to answer and merges");
  flags->model.add_to(streams);
  streams.add_flag("--json", flags->json, "One JSON object instead of text");
  streams.add_flag("--quick", options.quick, "Short prompts and budgets, for a first look");
  streams.add_option("--repeats", options.repeats, "Measurements of each figure")
      ->check(in_range(1, 100));
  streams.add_option("--what", options.what, "Figures to measure, comma separated")
      ->delimiter(',')
      ->check(one_of({"throughput", "time_to_answer", "merge"}));
  streams.callback([flags, &run] {
    run = [flags] {
      print_whole(flags->json, [&](const OnFigure& on_figure) {
        return bench_streams(flags->options, flags->model.config(),
                             flags->model.context_cells.value_or(0), on_figure);
      });
      return 0;
    };
  });
}

void add_sampler_bench(CLI::App& bench, Run& run) {
  auto json = std::make_shared<bool>(false);
  CLI::App& sampler = *bench.add_subcommand("sampler", "Measure the sampling of one step");
  sampler.add_flag("--json", *json, "One JSON object instead of text");
  sampler.callback([json, &run] {
    run = [json] {
      bench_sampler(print_figures(*json));
      return 0;
    };
  });
}

void add_decode_bench(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<BenchFlags<DecodeBenchOptions>>();
  DecodeBenchOptions& options = flags->options;
  CLI::App& decode = *bench.add_subcommand(
      "decode", "Measure the steps of a model, our kernels beside ggml's own");
  flags->model.add_to(decode);
  decode.add_flag("--json", flags->json, "One JSON object a line instead of text");
  decode.add_option("--prompt", options.prompts, "Cells in the cache, comma separated")
      ->delimiter(',')
      ->check(at_least(1));
  decode
      .add_option("--streams", options.streams,
                  "Streams that decode a row each a step, comma separated")
      ->delimiter(',')
      ->check(at_least(1));
  decode
      .add_option("--chunks", options.chunks,
                  "Tokens of a prompt that are read at a time, comma separated; 0: none")
      ->delimiter(',')
      ->check(at_least(0));
  decode
      .add_option("--views", options.views,
                  "Cells that rows see, comma separated: all the same (shared), each its own "
                  "(private), or half and half (mixed)")
      ->delimiter(',')
      ->check(one_of({"shared", "private", "mixed"}));
  decode.add_option("--steps", options.steps, "Steps of a measurement")->check(in_range(1, 10000));
  decode.add_option("--repeats", options.repeats, "Measurements of each figure")
      ->check(in_range(1, 100));
  decode.callback([flags, &run] {
    run = [flags] {
      bench_decode(flags->options, flags->model.config(), flags->model.context_cells.value_or(0),
                   print_figures(flags->json));
      return 0;
    };
  });
}

void add_attention_bench(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<BenchFlags<AttentionBenchOptions>>();
  AttentionBenchOptions& options = flags->options;
  CLI::App& attention = *bench.add_subcommand(
      "attention", "Measure the attention operation, our kernels beside ggml's own");
  attention.add_flag("--json", flags->json, "One JSON object a line instead of text");
  attention.add_option("--prompt", options.prompts, "Cells in the cache, comma separated")
      ->delimiter(',')
      ->check(in_range(1, 1 << 20));
  attention.add_option("--rows", options.rows, "Rows of one decode, comma separated")
      ->delimiter(',')
      ->check(in_range(1, 4096));
  attention
      .add_option("--views", options.views,
                  "Cells that rows see, comma separated: all the same (shared), each its own "
                  "(private), or half and half (mixed)")
      ->delimiter(',')
      ->check(one_of({"shared", "private", "mixed"}));
  attention.add_option("--repeats", options.repeats, "Measurements of each figure")
      ->check(in_range(1, 1000));
  attention.callback([flags, &run] {
    run = [flags] {
      bench_attention(flags->options, print_figures(flags->json));
      return 0;
    };
  });
}

void add_perplexity_bench(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<BenchFlags<PerplexityBenchOptions>>();
  PerplexityBenchOptions& options = flags->options;
  CLI::App& command = *bench.add_subcommand(
      "perplexity", "Measure the perplexity of a text, our kernels beside ggml's own");
  flags->model.add_to(command);
  command.add_flag("--json", flags->json, "One JSON object instead of text");
  command.add_option("--text", options.text, "File with the text")->required();
  command.add_option("--tokens", options.tokens, "Most tokens of the text that are read")
      ->check(in_range(64, 1 << 24));
  command.add_option("--window", options.window, "Length of a window, whose tokens see each other")
      ->check(in_range(64, 8192));
  command
      .add_option("--streams", options.streams,
                  "Windows that decode a row each a step; 1: a window in chunks")
      ->check(in_range(1, 64));
  command.add_flag("--float-weights", options.float_weights,
                   "A temporary copy of the model with F32 weights, to compare attention alone");
  command.callback([flags, &run] {
    run = [flags] {
      bench_perplexity(flags->options, flags->model.config(),
                       flags->model.context_cells.value_or(0), print_figures(flags->json));
      return 0;
    };
  });
}

void add_memory_bench(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<BenchFlags<MemoryBenchOptions>>();
  MemoryBenchOptions& options = flags->options;
  CLI::App& command =
      *bench.add_subcommand("memory", "Measure how many facts from beyond the window come back");
  flags->model.add_to(command);
  command.add_flag("--json", flags->json, "One JSON object instead of text");
  command.add_option("--facts", options.facts, "Facts that are planted")
      ->check(in_range(1, kMostFacts));
  command.add_option("--window", options.window, "Tokens that the stream keeps in view")
      ->check(in_range(32, 8192));
  command
      .add_option("--times", options.times, "Length of the other text after the facts, in windows")
      ->check(in_range(1, 64));
  command.callback([flags, &run] {
    run = [flags] {
      print_whole(flags->json, [&](const OnFigure& on_figure) {
        return bench_memory(flags->options, flags->model.config(),
                            flags->model.context_cells.value_or(0), on_figure);
      });
      return 0;
    };
  });
}

void add_recall_bench(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<BenchFlags<RecallBenchOptions>>();
  RecallBenchOptions& options = flags->options;
  CLI::App& command =
      *bench.add_subcommand("recall", "Measure what the heads of memory find, trained and not");
  flags->model.add_to(command);
  command.add_flag("--json", flags->json, "One JSON object instead of text");
  command
      .add_option("--sessions", options.sessions, "Sessions of 16 streams and 48 questions each")
      ->check(in_range(1, 1000));
  command.callback([flags, &run] {
    run = [flags] {
      print_whole(flags->json, [&](const OnFigure& on_figure) {
        return bench_recall(flags->options, flags->model.config(),
                            flags->model.context_cells.value_or(0), on_figure);
      });
      return 0;
    };
  });
}

void add_workspace_bench(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<BenchFlags<WorkspaceBenchOptions>>();
  WorkspaceBenchOptions& options = flags->options;
  CLI::App& command =
      *bench.add_subcommand("workspace", "Measure what registers and broadcasts cost");
  flags->model.add_to(command);
  command.add_flag("--json", flags->json, "One JSON object instead of text");
  command.add_option("--pairs", options.pairs, "Sessions of each kind")->check(in_range(1, 1000));
  command
      .add_option("--register-cadence", options.cadence,
                  "Distance between two notes of a register, in tokens of the longest stream")
      ->check(in_range(1, 4096));
  command
      .add_option("--simulations", options.simulations,
                  "Simulations of one search: leaves that are valued")
      ->check(in_range(2, 4096));
  command
      .add_option_function<std::string>(
          "--topology",
          [flags](const std::string& text) { flags->options.topology = parse_topology(text); },
          "Streams and the token budget of each")
      ->check(parsed_by([](const std::string& text) { parse_topology(text); }))
      ->default_str("8x256");
  command.callback([flags, &run] {
    run = [flags] {
      print_whole(flags->json, [&](const OnFigure& on_figure) {
        return bench_workspace(flags->options, flags->model.config(), on_figure);
      });
      return 0;
    };
  });
}

}  // namespace

void add_bench_command(CLI::App& app, Run& run) {
  CLI::App& command =
      *app.add_subcommand("bench", "Measure our engine beside plain libllama on the same work");
  command.require_subcommand(1);
  for (const auto add :
       {add_streams_bench, add_sampler_bench, add_decode_bench, add_attention_bench,
        add_perplexity_bench, add_memory_bench, add_recall_bench, add_workspace_bench})
    add(command, run);
}

}  // namespace polyphon
