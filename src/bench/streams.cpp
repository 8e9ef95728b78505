#include "bench/streams.h"

#include <fmt/format.h>

#include <algorithm>

#include "attention/span_backend.h"
#include "base/process.h"
#include "deploy/load.h"
#include "model/plain_llama.h"

namespace polyphon {
namespace {

int thought_tokens(const StreamsBenchOptions& options) {
  return options.budget > 0 ? options.budget : options.quick ? 512 : 2048;
}

// Our engine's context is made by now and keeps its kernels; the peer's are ggml's own.
std::string with_stock_attention(const std::string& path) {
  enable_span_backend(false);
  return path;
}

class StreamsBench {
 public:
  StreamsBench(const StreamsBenchOptions& options, const Config& config, const OnFigure& on_figure)
      : options_(options),
        on_figure_(on_figure),
        reasoner_(load_reasoner(config)),
        plain_(with_stock_attention(reasoner_->model().info().path), config.decoder.context_cells,
               config.decoder.threads) {}

  Json run() {
    if (wants("throughput"))
      for (const int prompt : options_.quick ? std::vector{128} : std::vector{128, 2048})
        for (const int streams : {1, 2, 4, 8, 16}) throughput(prompt, streams);
    if (wants("time_to_answer")) depth_and_breadth();
    if (wants("merge")) merges();
    Json whole = result_head("streams", *reasoner_);
    whole.update(
        {{"commit", options_.commit}, {"repeats", options_.repeats}, {"rows", std::move(rows_)}});
    return whole;
  }

 private:
  bool wants(const std::string& part) const {
    return std::find(options_.what.begin(), options_.what.end(), part) != options_.what.end();
  }

  void report(Json row, const std::string& text) {
    on_figure_(row, text + "\n");
    rows_.push_back(std::move(row));
  }

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
    const Spread ours = repeat(options_.repeats, [&](int i) {
      CompletionRequest request;
      request.prompt = prompt_of(prompt_tokens, 100 * streams + i);
      request.choices = streams;
      request.max_tokens = tokens;
      request.ignore_eos = true;
      SessionTicket ticket = reasoner_->complete(request, {});
      const Finished finished = wait_finished(ticket);
      return 1000.0 * (streams * (tokens - 1)) / finished.timings.answer_ms;
    });
    const Spread peer = repeat(options_.repeats, [&](int i) {
      const auto run = plain_.decode(prompt_of(prompt_tokens, i), streams, tokens);
      return run.tokens / run.decode_seconds;
    });
    report(
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
    const int budget = thought_tokens(options_);
    const std::string breadth = fmt::format("8x{}", budget / 8),
                      depth = fmt::format("1x{}", budget);
    const auto seconds = [&](const std::string& topology) {
      return repeat(options_.repeats, [&](int i) {
        return think(topology, MergeMode::kKv, 500 + i).timings.time_to_first_answer_token_ms /
               1000;
      });
    };
    const Spread wide = seconds(breadth);
    const double wide_memory = static_cast<double>(peak_memory_kib()) / 1024;
    const Spread deep = seconds(depth);
    const double deep_memory = static_cast<double>(peak_memory_kib()) / 1024;
    const Spread peer = repeat(options_.repeats, [&](int i) {
      const auto run = plain_.decode(prompt_of(64, 900 + i), 1, budget);
      return run.prefill_seconds + run.decode_seconds;
    });
    report({{"what", "time_to_answer"},
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
    const std::string topology = options_.quick ? "8x64" : "8x256";
    double kv_ms = 0;
    for (const MergeMode mode :
         {MergeMode::kKv, MergeMode::kPrefill, MergeMode::kCompact, MergeMode::kVote}) {
      int tokens = 0;
      const Spread ms = repeat(options_.repeats, [&](int i) {
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
      report(
          std::move(row),
          fmt::format(
              "merge {:<8} of {}: {:>5} tokens, {:7.1f} ms to the first answer token "
              "({:.1f}x kv){}",
              to_string(mode), topology, tokens, ms.median, ms.median / kv_ms,
              plain_ms > 0 ? fmt::format(", plain libllama's prefill {:.0f} ms", plain_ms) : ""));
    }
  }

  const StreamsBenchOptions& options_;
  const OnFigure& on_figure_;
  std::unique_ptr<Reasoner> reasoner_;
  PlainLlama plain_;
  Json rows_ = Json::array();
};

}  // namespace

Json bench_streams(const StreamsBenchOptions& options, Config config, int context_cells,
                   const OnFigure& on_figure) {
  config.decoder.context_cells =
      context_cells > 0 ? context_cells : std::max(8192, thought_tokens(options) * 3 / 2);
  return StreamsBench(options, config, on_figure).run();
}

}  // namespace polyphon
