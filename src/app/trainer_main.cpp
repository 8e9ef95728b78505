// polyphon-train: flags and calls. A process of its own, the only one that links libtorch.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>

#include "base/error.h"
#include "base/logging.h"
#include "base/process.h"
#include "head_trainer/trace_counter.h"
#include "head_trainer/train_heads.h"
#include "tensors/device.h"
#include "trainer/parity.h"
#include "trainer/train.h"
#include "trainer/train_report.h"

namespace polyphon {
namespace {

using Run = std::function<int()>;

std::atomic<bool> stop_asked = false;

void print_out(const std::string& text) {
  fmt::print("{}", text);
  std::fflush(stdout);
}

void add_lora(CLI::App& app, Run& run) {
  struct Flags {
    TrainOptions options;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  TrainOptions& options = flags->options;
  CLI::App& command = *app.add_subcommand("lora", "trains an adapter on token sequences");
  command.option_defaults()->always_capture_default();
  command.add_option("--model", options.model_path, "GGUF of the base")->required();
  command.add_option("--data", options.data_path, "JSON lines of `polyphon data build`")
      ->required();
  command.add_option("--out", options.out_folder, "folder for adapter, checkpoint and progress")
      ->required();
  command.add_option("--from", options.from_path,
                     "adapter.gguf to go on from, instead of the base");
  command.add_option("--rank", options.rank, "of the adapter");
  command.add_option("--alpha", options.alpha, "its scale times the rank");
  command.add_option("--dropout", options.dropout, "of the adapter's input");
  command.add_option("--projections", options.projections, "that get an adapter")->delimiter(',');
  command.add_option("--learning-rate", options.learning_rate, "at its peak");
  command.add_option("--final-learning-rate-share", options.final_learning_rate_share,
                     "of the peak, at the end");
  command.add_option("--warmup-steps", options.warmup_steps, "up to the peak");
  command.add_option("--weight-decay", options.weight_decay, "AdamW's");
  command.add_option("--clip-norm", options.clip_norm, "of the gradient; 0: not clipped");
  command.add_option("--epochs", options.epochs, "passes over the data");
  command.add_option("--max-steps", options.max_steps, "0: as the epochs have");
  command.add_option("--batch-tokens", options.batch_tokens, "packed into one forward pass");
  command.add_option("--kl-weight", options.kl_weight,
                     "of the divergence from the base; a third more time");
  command.add_option("--diversity-weight", options.diversity_weight,
                     "of what it costs that a session's streams think alike");
  command.add_option("--diversity-margin", options.diversity_margin,
                     "cosine of two streams' mean states that costs nothing");
  command.add_option("--promotion-weight", options.promotion_weight,
                     "of the gate against what promotions did; above 0 it is trained too");
  command.add_option("--from-heads", options.from_heads_path,
                     "heads.gguf whose gate goes on, instead of the untrained one");
  command.add_option("--term-warmup-steps", options.term_warmup_steps,
                     "over which these three weights rise");
  command.add_option("--accumulate", options.accumulate, "forward passes a step");
  command.add_flag("--checkpoint-layers", options.checkpoint_layers,
                   "compute layers twice instead of keeping what they computed");
  command.add_option("--seed", options.seed, "of order, dropout and first weights");
  command.add_option("--precision", options.precision, "of products: auto, bf16, f32");
  command.add_option("--device", options.device,
                     "auto, cpu, cuda, cuda:N; never run on a GPU yet (docs/training.md)");
  command.add_option("--validation", options.validation_path,
                     "held-out data, like --data: adapter.gguf is then the best one on it");
  command.add_option("--validation-share", options.validation_share,
                     "of the data held out instead, sequences that begin alike together");
  command.add_option("--validate-every-steps", options.validate_every_steps, "and after the last");
  command.add_option("--peer-timeout-seconds", options.peer_timeout_seconds,
                     "how long a step of another process may take");
  command.add_option("--threads", options.threads, "0: all physical cores");
  command.add_option("--save-every-steps", options.save_every_steps, "a checkpoint");
  command.add_option("--save-every-seconds", options.save_every_seconds, "a checkpoint");
  command.add_flag("--resume", options.resume,
                   "go on from the checkpoint in --out, if there is one");
  command.add_flag("--json", flags->json, "a JSON object with all options, then one a step");
  command.callback([flags, &run] {
    run = [flags] {
      for (const int signal : {SIGTERM, SIGINT})
        std::signal(signal, [](int) { stop_asked.store(true); });
      flags->options.processes = process_place_of_environment();
      if (flags->json) fmt::print("{}\n", Json{{"options", to_json(flags->options)}}.dump());
      Json last;
      const TrainOutcome outcome = train(flags->options, stop_asked, [&](const Json& line) {
        print_out(flags->json ? line.dump() + "\n" : describe_step(line));
        last = line;
      });
      fmt::print(stderr, "{}", describe_outcome(outcome, flags->options, last));
      return 0;
    };
  });
}

void add_heads(CLI::App& app, Run& run) {
  struct Flags {
    HeadTrainOptions options;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  HeadTrainOptions& options = flags->options;
  FitOptions& fit = options.trial.fit;
  CLI::App& command =
      *app.add_subcommand("heads", "trains gate, value, memory and topology heads on self-play");
  command.option_defaults()->always_capture_default();
  command.add_option("--model", options.traces.model_path, "GGUF of the base")->required();
  command.add_option("--data", options.traces.data_folders, "folders of `polyphon selfplay`")
      ->required();
  command
      .add_option("--out", options.out_folder,
                  "folder for heads.gguf, heads.jsonl (the report) and what they are fitted to")
      ->required();
  command.add_option("--version", options.traces.version_folder,
                     "folder of the version that played, if it was not the base");
  command.add_option("--name", options.name, "of the heads, in traces and answers");
  command.add_option("--read-rank", options.read_rank,
                     "of what memory's read head learns on top of the cosine");
  command.add_option("--feature-decay", fit.decay.features,
                     "of what features' weights differ from the untrained head's");
  command.add_option("--hidden-decay", fit.decay.hidden, "of weights on the hidden state");
  command.add_option("--read-decay", fit.decay.read,
                     "of what memory's read head learns on top of the cosine");
  command.add_option("--choice-weight", fit.choice_weight,
                     "of what searches should have chosen, beside what became of each state");
  command.add_option("--most-steps", fit.most_steps, "of a fit, if its optimum takes more");
  command.add_option("--folds", options.trial.folds,
                     "parts of the problems, each scored by heads fitted without it");
  command.add_option("--seed", options.trial.seed, "of the parts and the first weights");
  command.add_option("--precision", options.traces.precision, "of products: auto, bf16, f32");
  command.add_option("--threads", options.threads, "0: all physical cores");
  command.add_flag("--json", flags->json, "the report as JSON lines");
  command.callback([flags, &run] {
    run = [flags] {
      std::vector<Json> lines;
      {
        const TraceCounter counter;
        lines = train_heads(flags->options, [&](int done) { counter.show(done); });
      }
      if (!flags->json) print_out(describe_heads(lines));
      for (const Json& line : lines)
        if (flags->json) print_out(line.dump() + "\n");
      return 0;
    };
  });
}

void add_parity(CLI::App& app, Run& run) {
  struct Flags {
    ParityOptions options;
    std::string path;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App& command =
      *app.add_subcommand("parity", "how far trainer and engine agree on recorded sessions");
  command.add_option("file", flags->path, "JSON lines written by polyphon --trace")->required();
  command.add_option("--model", flags->options.model_path, "GGUF that recorded them")->required();
  command.add_option("--version", flags->options.version_folder,
                     "folder of the version that recorded them, if it was not the base");
  command.add_option("--precision", flags->options.precision, "of the trainer: auto, bf16, f32");
  command.add_option("--kv-type", flags->options.kv_type, "of the engine's keys and values");
  command.add_option("--threads", flags->options.threads, "of the engine; 0: all cores");
  command.add_flag("--float-engine", flags->options.float_engine,
                   "the engine computes with a copy of the model in F32");
  command.callback([flags, &run] {
    run = [flags] {
      for (const ParityReport& report : measure_parity(read_traces(flags->path), flags->options))
        fmt::print("{}\n", to_json(report).dump());
      return 0;
    };
  });
}

}  // namespace
}  // namespace polyphon

int main(int argc, char** argv) {
  using namespace polyphon;
  limit_spinning(argv);
  limit_kept_kernels();
  CLI::App app("polyphon-train: trains adapters and heads of a served model");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_config("--config", "", "TOML file whose [lora] and [heads] have the options by name");
  app.allow_config_extras(CLI::config_extras_mode::error);
  std::string log_level = "warn";
  app.add_option("--log-level", log_level, "trace, debug, info, warn, error, off");
  Run run;
  add_lora(app, run);
  add_heads(app, run);
  add_parity(app, run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    init_logging(log_level);
    return run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
