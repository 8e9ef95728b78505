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
#include "record/trace_file.h"
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
  CLI::App& command = *app.add_subcommand("lora", "Train a LoRA adapter on token sequences");
  command.option_defaults()->always_capture_default();
  command.add_option("--model", options.model_path, "GGUF of the base model")->required();
  command
      .add_option("--data", options.data_path, "Training data, written by `polyphon data build`")
      ->required();
  command.add_option("--out", options.out_folder, "Folder for adapter, checkpoint and progress")
      ->required();
  command.add_option("--from", options.from_path,
                     "adapter.gguf to go on from; without it, from the base");
  command.add_option("--rank", options.rank, "Rank of the adapter");
  command.add_option("--alpha", options.alpha, "Scale of the adapter times its rank");
  command.add_option("--dropout", options.dropout,
                     "Share of the adapter's inputs set to 0 in training");
  command.add_option("--learning-rate", options.learning_rate, "Peak learning rate");
  command.add_option("--final-learning-rate-share", options.final_learning_rate_share,
                     "Learning rate at the end, as a share of the peak");
  command.add_option("--warmup-steps", options.warmup_steps,
                     "Steps over which the learning rate rises to its peak");
  command.add_option("--epochs", options.epochs, "Passes over the data");
  command.add_option("--max-steps", options.max_steps, "Most steps; 0: as many as the epochs have");
  command.add_option("--batch-tokens", options.batch_tokens, "Tokens packed into one forward pass");
  command.add_option("--kl-weight", options.kl_weight,
                     "Weight of the divergence from the base; above 0 a run takes a third longer");
  command.add_option(
      "--promotion-weight", options.promotion_weight,
      "Weight of the gate's loss on what promotions did; 0: the gate is not trained");
  command.add_option("--from-heads", options.from_heads_path,
                     "heads.gguf whose gate is trained further; without it, the untrained gate");
  command.add_option("--accumulate", options.accumulate, "Forward passes of a step");
  command.add_flag("--checkpoint-layers", options.checkpoint_layers,
                   "Compute layers twice instead of keeping their results: less memory, more time");
  command.add_option("--seed", options.seed, "Random seed of order, dropout and first weights");
  command.add_option("--precision", options.precision,
                     "Number format of products: auto, bf16 or f32");
  command.add_option("--device", options.device,
                     "Device: auto, cpu, cuda or cuda:N; no run on a GPU was tested yet");
  command.add_option("--validation", options.validation_path,
                     "Held-out data, like --data; the adapter that is best on it is kept");
  command.add_option(
      "--validation-share", options.validation_share,
      "Share of --data that is held out instead; sequences that begin alike stay together");
  command.add_option("--threads", options.threads, "CPU threads; 0: one a physical core");
  command.add_option("--save-every-steps", options.save_every_steps,
                     "Steps between two checkpoints");
  command.add_flag("--resume", options.resume,
                   "Go on from the checkpoint in --out, if there is one");
  command.add_flag("--json", flags->json, "A JSON object with all options, then one a step");
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
  CLI::App& command =
      *app.add_subcommand("heads", "Train the gate, value, memory and topology heads on self-play");
  command.option_defaults()->always_capture_default();
  command.add_option("--model", options.traces.model_path, "GGUF of the base model")->required();
  command.add_option("--data", options.traces.data_folders, "Folders of `polyphon selfplay`")
      ->required();
  command
      .add_option("--out", options.out_folder,
                  "Folder for heads.gguf, heads.jsonl (the report) and the data of the fits")
      ->required();
  command.add_option("--version", options.traces.version_folder,
                     "Folder of the version that played, if it was not the base");
  command.add_option("--folds", options.trial.folds,
                     "Parts of the problems, each scored by heads that were fitted without it");
  command.add_option("--seed", options.trial.seed,
                     "Random seed of the parts and the first weights");
  command.add_option("--threads", options.threads, "CPU threads; 0: one a physical core");
  command.add_flag("--json", flags->json, "The report as JSON lines");
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
  CLI::App& command = *app.add_subcommand(
      "parity", "Measure how far trainer and engine agree on recorded sessions");
  command.add_option("file", flags->path, "Traces, written by `polyphon think --trace`")
      ->required();
  command.add_option("--model", flags->options.model_path, "GGUF of the model that recorded them")
      ->required();
  command.add_option("--version", flags->options.version_folder,
                     "Folder of the version that recorded them, if it was not the base");
  command.add_option("--precision", flags->options.precision,
                     "Number format of the trainer's products: auto, bf16 or f32");
  command.add_option("--kv-type", flags->options.kv_type, "Number format of the engine's KV cache");
  command.add_flag("--float-engine", flags->options.float_engine,
                   "Let the engine compute with a copy of the model in F32");
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
  CLI::App app("polyphon-train: train adapters and heads of a served model");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_config("--config", "", "TOML file whose [lora] and [heads] set the options by name");
  app.allow_config_extras(CLI::config_extras_mode::error);
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
    init_logging("warn");
    return run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
