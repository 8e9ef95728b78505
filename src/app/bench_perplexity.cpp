// polyphon bench perplexity: a text's perplexity, and how far our kernels' logits are from those of
// ggml's own.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "app/bench.h"
#include "app/bench_pair.h"
#include "app/usage.h"
#include "base/error.h"
#include "deploy/load.h"
#include "deploy/model_catalogue.h"
#include "model/float_copy.h"

namespace polyphon {
namespace {

struct PerplexityFlags {
  ModelFlags model;
  std::string text;
  int tokens = 8192, window = 512, streams = 1;
  bool float_weights = false, json = false;
};

// A model file with float weights for as long as it is needed.
class FloatCopy {
 public:
  explicit FloatCopy(const std::string& from)
      : path_(std::filesystem::temp_directory_path() / fmt::format("polyphon-{}.gguf", getpid())) {
    try {
      write_float_copy(from, path_.string());
    } catch (const Error&) {
      remove();  // a full disk keeps no part of it
      throw;
    }
  }
  ~FloatCopy() { remove(); }
  FloatCopy(const FloatCopy&) = delete;
  FloatCopy& operator=(const FloatCopy&) = delete;
  std::string path() const { return path_.string(); }

 private:
  void remove() const {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  std::filesystem::path path_;
};

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::kInvalidArgument, "cannot read " + path, "text");
  return {std::istreambuf_iterator<char>(file), {}};
}

// Logarithms of the probabilities, in double precision.
void to_log_probabilities(std::span<const float> logits, std::vector<double>& out) {
  out.assign(logits.begin(), logits.end());
  const double most = *std::max_element(out.begin(), out.end());
  double sum = 0;
  for (const double logit : out) sum += std::exp(logit - most);
  const double total = most + std::log(sum);
  for (double& value : out) value -= total;
}

struct Sums {
  int tokens = 0, same_best = 0;
  double ours = 0, stock = 0;  // negative log likelihoods
  double divergence = 0;       // KL(stock || ours)
  double worst_logit = 0;      // difference of two logits, over the largest logit's magnitude
};

class PerplexityBench {
 public:
  PerplexityBench(const PerplexityFlags& flags, const Config& config)
      : flags_(flags), pair_(load_bench_pair(config)) {}

  int run() {
    const Vocabulary& vocabulary = pair_.ours.model->vocabulary();
    tokens_ = vocabulary.tokenize(read_text(flags_.text), true, false);
    const int windows = std::min(flags_.tokens, static_cast<int>(tokens_.size())) / flags_.window;
    if (windows == 0)
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} has {} tokens: at least one window of {} is needed", flags_.text,
                              tokens_.size(), flags_.window),
                  "text");
    for (int first = 0; first < windows; first += flags_.streams)
      measure(first, std::min(flags_.streams, windows - first));
    print();
    return 0;
  }

 private:
  // Windows [first, first + count) beside each other, a row each a step, as streams are decoded;
  // or, with --streams 1, one window as one chunk.
  void measure(int first, int count) {
    for (const BenchEngine* engine : {&pair_.ours, &pair_.stock})
      for (int s = 0; s < flags_.streams; ++s) engine->decoder->clear(s);
    const int rows_a_pass = flags_.streams == 1 ? flags_.window : 1;
    for (int begin = 0; begin < flags_.window; begin += rows_a_pass) {
      std::vector<Row> rows;
      for (int s = 0; s < count; ++s)
        for (int i = begin; i < begin + rows_a_pass; ++i)
          rows.push_back({token(first + s, i), i, s, true});
      for (const BenchEngine* engine : {&pair_.ours, &pair_.stock})
        if (engine->decoder->decode(rows, false) != DecodeStatus::kOk)
          throw Error(ErrorCode::kInternal, "cannot decode a window");
      for (size_t i = 0; i < rows.size(); ++i)
        if (rows[i].position + 1 < flags_.window)
          compare(static_cast<int>(i), token(first + rows[i].sequence, rows[i].position + 1));
    }
  }

  Token token(int window, int index) const {
    return tokens_[static_cast<size_t>(window) * static_cast<size_t>(flags_.window) +
                   static_cast<size_t>(index)];
  }

  void compare(int row, Token next) {
    const std::span<float> ours = pair_.ours.decoder->logits(row);
    const std::span<float> stock = pair_.stock.decoder->logits(row);
    double largest = 0, worst = 0;
    for (size_t i = 0; i < ours.size(); ++i) {
      largest = std::max(largest, std::abs(double{stock[i]}));
      worst = std::max(worst, std::abs(double{ours[i]} - double{stock[i]}));
    }
    sums_.worst_logit = std::max(sums_.worst_logit, worst / largest);
    to_log_probabilities(ours, log_ours_);
    to_log_probabilities(stock, log_stock_);
    for (size_t i = 0; i < ours.size(); ++i)
      sums_.divergence += std::exp(log_stock_[i]) * (log_stock_[i] - log_ours_[i]);
    const auto best = [](const std::vector<double>& of) {
      return std::max_element(of.begin(), of.end()) - of.begin();
    };
    sums_.same_best += best(log_ours_) == best(log_stock_);
    sums_.ours -= log_ours_[static_cast<size_t>(next)];
    sums_.stock -= log_stock_[static_cast<size_t>(next)];
    ++sums_.tokens;
  }

  void print() const {
    const double tokens = sums_.tokens;
    const Json row = {{"model", pair_.ours.model->info().description},
                      {"tokens", sums_.tokens},
                      {"window", flags_.window},
                      {"streams", flags_.streams},
                      {"ours", std::exp(sums_.ours / tokens)},
                      {"stock", std::exp(sums_.stock / tokens)},
                      {"divergence", sums_.divergence / tokens},
                      {"same_best_token", sums_.same_best / tokens},
                      {"worst_logit_difference", sums_.worst_logit}};
    print_out(
        flags_.json
            ? row.dump() + "\n"
            : fmt::format("{} tokens in windows of {}, {} at a time: perplexity {:.4f}, stock "
                          "{:.4f}; KL {:.1e} nats a token, the same best token {:.2f} %, "
                          "logits within {:.1e} of the largest\n",
                          sums_.tokens, flags_.window, flags_.streams, row["ours"].get<double>(),
                          row["stock"].get<double>(), row["divergence"].get<double>(),
                          100 * row["same_best_token"].get<double>(), sums_.worst_logit));
  }

  PerplexityFlags flags_;
  BenchPair pair_;
  Tokens tokens_;
  std::vector<double> log_ours_, log_stock_;  // scratch
  Sums sums_;
};

int bench_perplexity(const PerplexityFlags& flags) {
  Config config = flags.model.config();
  config.decoder.context_cells =
      std::max(flags.model.context_cells.value_or(0), flags.window * flags.streams);
  config.decoder.max_rows = std::max(config.decoder.max_rows, flags.window);
  std::optional<FloatCopy> copy;
  if (flags.float_weights) {
    copy.emplace(resolve_model(config.model));
    config.model = copy->path();
  }
  return PerplexityBench(flags, config).run();
}

}  // namespace

void add_perplexity_bench(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<PerplexityFlags>();
  CLI::App& command = *bench.add_subcommand(
      "perplexity", "Measure the perplexity of a text, our kernels beside ggml's own");
  flags->model.add_to(command);
  command.add_flag("--json", flags->json, "One JSON object instead of text");
  command.add_option("--text", flags->text, "File with the text")->required();
  command.add_option("--tokens", flags->tokens, "Most tokens of the text that are read")
      ->check(in_range(64, 1 << 24));
  command.add_option("--window", flags->window, "Length of a window, whose tokens see each other")
      ->check(in_range(64, 8192));
  command
      .add_option("--streams", flags->streams,
                  "Windows that decode a row each a step; 1: a window in chunks")
      ->check(in_range(1, 64));
  command.add_flag("--float-weights", flags->float_weights,
                   "A temporary copy of the model with F32 weights, to compare attention alone");
  command.callback([flags, &run] { run = [flags] { return bench_perplexity(*flags); }; });
}

}  // namespace polyphon
