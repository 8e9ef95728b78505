// polyphon bench: our engine and plain libllama on the same work in one process, so that every
// figure is a ratio.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <thread>

#include "app/bench.h"
#include "app/command.h"
#include "app/usage.h"
#include "attention/span_backend.h"
#include "base/error.h"
#include "base/process.h"
#include "base/random.h"
#include "deploy/load.h"
#include "deploy/model_catalogue.h"
#include "engine/sample_rows.h"
#include "model/plain_llama.h"

namespace polyphon {

std::string processor() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);)
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  return "unknown";
}

namespace {

struct BenchFlags {
  ModelFlags model;
  bool json = false, quick = false;
  int repeats = 3;
  int budget = 0;  // tokens of depth and breadth; 0: 2048, or 512 when quick
  std::vector<std::string> what = {"throughput", "time_to_answer", "merge"};

  bool wants(const std::string& part) const {
    return std::find(what.begin(), what.end(), part) != what.end();
  }
  int thought_tokens() const { return budget > 0 ? budget : quick ? 512 : 2048; }
  std::string output, commit;
};

// Runs rows as they are measured, prints and keeps them.
class Report {
 public:
  explicit Report(bool json) : json_(json) {}
  void add(Json row, const std::string& text) {
    if (!json_) print_out(text + "\n");
    rows_.push_back(std::move(row));
  }
  Json whole(const BenchFlags& flags, const Reasoner& reasoner) const {
    return {{"bench", "streams"},
            {"machine", {{"cpu", processor()}, {"kernels", compute_info().cpu_variant}}},
            {"commit", flags.commit},
            {"model", reasoner.model().info().description},
            {"model_digest", reasoner.identity().model_digest},
            {"repeats", flags.repeats},
            {"rows", rows_}};
  }

 private:
  bool json_;
  Json rows_ = Json::array();
};

// Our engine's context is made by now and keeps its kernels; the peer's are ggml's own.
std::string with_stock_attention(const std::string& path) {
  enable_span_backend(false);
  return path;
}

class StreamsBench {
 public:
  StreamsBench(const BenchFlags& flags, const Config& config)
      : flags_(flags),
        reasoner_(load_reasoner(config)),
        plain_(with_stock_attention(reasoner_->model().info().path), config.decoder.context_cells,
               config.decoder.threads),
        report_(flags.json) {}

  int run() {
    if (flags_.wants("throughput"))
      for (const int prompt : flags_.quick ? std::vector{128} : std::vector{128, 2048})
        for (const int streams : {1, 2, 4, 8, 16}) throughput(prompt, streams);
    if (flags_.wants("time_to_answer")) depth_and_breadth();
    if (flags_.wants("merge")) merges();
    const Json whole = report_.whole(flags_, *reasoner_);
    if (flags_.json) print_out(whole.dump() + "\n");
    if (!flags_.output.empty()) {
      std::ofstream file(flags_.output);
      file << whole.dump(2) << "\n";
      if (!file.flush()) throw Error(ErrorCode::kInternal, "cannot write " + flags_.output);
    }
    return 0;
  }

 private:
  // A prompt of about so many tokens, other ones each time, so that no prefix is found again.
  Tokens prompt_of(int tokens, int salt) const {
    const Vocabulary& vocabulary = reasoner_->model().vocabulary();
    std::string text = fmt::format("{} ", salt);
    Tokens prompt;
    while (static_cast<int>(prompt.size()) < tokens) {
      text += "The quick brown fox jumps over the lazy dog and counts its steps. ";
      prompt = vocabulary.tokenize(text, false, true);
    }
    prompt.resize(static_cast<size_t>(tokens));
    return prompt;
  }

  void throughput(int prompt_tokens, int streams) {
    const int tokens = 48;
    const Spread ours = repeat(flags_.repeats, [&](int i) {
      CompletionRequest request;
      request.prompt = prompt_of(prompt_tokens, 100 * streams + i);
      request.choices = streams;
      request.max_tokens = tokens;
      request.ignore_eos = true;
      SessionTicket ticket = reasoner_->complete(request, {});
      const Finished finished = wait_finished(ticket);
      return 1000.0 * (streams * (tokens - 1)) / finished.timings.answer_ms;
    });
    const Spread peer = repeat(flags_.repeats, [&](int i) {
      const auto run = plain_.decode(prompt_of(prompt_tokens, i), streams, tokens);
      return run.tokens / run.decode_seconds;
    });
    report_.add(
        {{"what", "throughput"},
         {"prompt", prompt_tokens},
         {"streams", streams},
         {"tokens_per_s", to_json(ours)},
         {"plain_tokens_per_s", to_json(peer)},
         {"ratio", ours.median / peer.median}},
        fmt::format(
            "prompt {:>5}, {:>2} streams: {:7.1f} tokens/s, plain libllama {:7.1f}, ratio {:.2f}",
            prompt_tokens, streams, ours.median, peer.median, ours.median / peer.median));
  }

  Finished think(const std::string& topology, MergeMode merge, int salt) {
    ThinkInput input;
    input.chat.messages = {
        {{"role", "user"},
         {"content",
          fmt::format("Problem {}: pens come in boxes of 12. How many boxes for 150 pens?",
                      salt)}}};
    input.topology = parse_topology(topology);
    input.merge = merge;
    input.sampling.seed = static_cast<uint64_t>(salt);
    input.answer_sampling = input.sampling;
    input.max_answer_tokens = 16;
    input.ignore_eos = true;
    SessionTicket ticket = reasoner_->think(input, {});
    return wait_finished(ticket);
  }

  // The same number of tokens as one chain and as eight streams.
  void depth_and_breadth() {
    const int budget = flags_.thought_tokens();
    const std::string breadth = fmt::format("8x{}", budget / 8),
                      depth = fmt::format("1x{}", budget);
    const auto seconds = [&](const std::string& topology) {
      return repeat(flags_.repeats, [&](int i) {
        return think(topology, MergeMode::kKv, 500 + i).timings.time_to_first_answer_token_ms /
               1000;
      });
    };
    const Spread wide = seconds(breadth);
    const double wide_memory = static_cast<double>(peak_memory_kib()) / 1024;
    const Spread deep = seconds(depth);
    const double deep_memory = static_cast<double>(peak_memory_kib()) / 1024;
    const Spread peer = repeat(flags_.repeats, [&](int i) {
      const auto run = plain_.decode(prompt_of(64, 900 + i), 1, budget);
      return run.prefill_seconds + run.decode_seconds;
    });
    report_.add(
        {{"what", "time_to_answer"},
         {"breadth", breadth},
         {"depth", depth},
         {"breadth_s", to_json(wide)},
         {"depth_s", to_json(deep)},
         {"plain_depth_s", to_json(peer)},
         {"ratio", deep.median / wide.median},
         {"ratio_to_plain", peer.median / wide.median},
         {"peak_memory_mib", {{"breadth", wide_memory}, {"after_depth", deep_memory}}}},
        fmt::format("time to answer: {} {:.1f} s, {} {:.1f} s ({:.2f}x), plain libllama's chain "
                    "{:.1f} s ({:.2f}x); peak memory {:.0f} MiB, then {:.0f} MiB",
                    breadth, wide.median, depth, deep.median, deep.median / wide.median,
                    peer.median, peer.median / wide.median, wide_memory, deep_memory));
  }

  // From the streams' end to the first answer token.
  void merges() {
    const std::string topology = flags_.quick ? "8x64" : "8x256";
    double kv_ms = 0;
    for (const MergeMode mode :
         {MergeMode::kKv, MergeMode::kPrefill, MergeMode::kCompact, MergeMode::kVote}) {
      int tokens = 0;
      const Spread ms = repeat(flags_.repeats, [&](int i) {
        const Finished finished = think(topology, mode, 700 + i);
        tokens = finished.timings.merge_prefill_tokens;
        return finished.timings.merge_ms;
      });
      if (mode == MergeMode::kKv) kv_ms = ms.median;
      Json row = {{"what", "merge"},
                  {"topology", topology},
                  {"mode", to_string(mode)},
                  {"merge_prefill_tokens", tokens},
                  {"first_answer_token_ms", to_json(ms)},
                  {"ratio_to_kv", ms.median / kv_ms}};
      double plain_ms = 0;
      if (mode == MergeMode::kPrefill) {
        plain_ms = 1000 * plain_.prefill(prompt_of(64 + tokens, 1));
        row["plain_prefill_ms"] = plain_ms;
      }
      report_.add(
          std::move(row),
          fmt::format(
              "merge {:<8} of {}: {:>5} tokens, {:7.1f} ms to the first answer token "
              "({:.1f}x kv){}",
              to_string(mode), topology, tokens, ms.median, ms.median / kv_ms,
              plain_ms > 0 ? fmt::format(", plain libllama's prefill {:.0f} ms", plain_ms) : ""));
    }
  }

  BenchFlags flags_;
  std::unique_ptr<Reasoner> reasoner_;
  PlainLlama plain_;
  Report report_;
};

int bench_streams(const BenchFlags& flags) {
  Config config = flags.model.config();
  if (!flags.model.context_cells)
    config.decoder.context_cells = std::max(8192, flags.thought_tokens() * 3 / 2);
  return StreamsBench(flags, config).run();
}

// Eight rows of a vocabulary of 152k, default settings, ours and llama.cpp's chain.
int bench_sampler(const BenchFlags& flags) {
  constexpr int kRows = 8, kVocabulary = 151936, kRepeats = 51;
  Random random(1);
  std::vector<std::vector<float>> logits(kRows);
  for (auto& row : logits)
    for (int i = 0; i < kVocabulary; ++i)
      row.push_back(static_cast<float>(random.uniform() + random.uniform() + random.uniform()) * 6);
  std::vector<std::unique_ptr<Sampler>> samplers;
  std::vector<SampleJob> jobs;
  for (int r = 0; r < kRows; ++r) {
    SamplingParams params;
    params.seed = static_cast<uint64_t>(r);
    samplers.push_back(std::make_unique<Sampler>(params, nullptr, false));
    jobs.push_back({samplers.back().get(), logits[static_cast<size_t>(r)], {}});
  }
  const int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const SteadyClock clock;
  const Spread ours = repeat(kRepeats, [&](int) {
    const TimePoint start = clock.now();
    sample_rows(jobs, threads);
    return milliseconds_between(start, clock.now());
  });
  const double peer = plain_sampler_ms(kRows, kVocabulary, kRepeats);
  const Json row = {{"bench", "sampler"},  {"rows", kRows},        {"vocabulary", kVocabulary},
                    {"ms", to_json(ours)}, {"llama_cpp_ms", peer}, {"ratio", peer / ours.median}};
  print_out(flags.json
                ? row.dump() + "\n"
                : fmt::format("{} rows of {}: {:.2f} ms a step, llama.cpp's chain {:.2f} ms, "
                              "ratio {:.1f}\n",
                              kRows, kVocabulary, ours.median, peer, peer / ours.median));
  return 0;
}

}  // namespace

void add_bench_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App& command =
      *app.add_subcommand("bench", "Measure our engine beside plain libllama on the same work");
  command.require_subcommand(1);
  CLI::App& streams =
      *command.add_subcommand("streams", "Measure throughput, time to answer and merges");
  flags->model.add_to(streams);
  streams.add_flag("--json", flags->json, "One JSON object instead of text");
  streams.add_flag("--quick", flags->quick, "Short prompts and budgets, for a first look");
  streams.add_option("--repeats", flags->repeats, "Measurements of each figure")
      ->check(in_range(1, 100));
  streams.add_option("--what", flags->what, "Figures to measure, comma separated")
      ->delimiter(',')
      ->check(one_of({"throughput", "time_to_answer", "merge"}));
  streams
      .add_option("--budget", flags->budget,
                  "Tokens that one chain, and eight streams together, think for time_to_answer")
      ->check(in_range(64, 32768))
      ->default_str("2048; with --quick, 512");
  streams.add_option("--output", flags->output, "File that the JSON object is also written to")
      ->default_str("none");
  streams.add_option("--commit", flags->commit, "Commit that the result notes")
      ->default_str("none");
  streams.callback([flags, &run] { run = [flags] { return bench_streams(*flags); }; });
  CLI::App& sampler = *command.add_subcommand("sampler", "Measure the sampling of one step");
  sampler.add_flag("--json", flags->json, "One JSON object instead of text");
  sampler.callback([flags, &run] { run = [flags] { return bench_sampler(*flags); }; });
  add_decode_bench(command, run);
  add_attention_bench(command, run);
  add_perplexity_bench(command, run);
  add_memory_bench(command, run);
  add_recall_bench(command, run);
  add_workspace_bench(command, run);
}

}  // namespace polyphon
