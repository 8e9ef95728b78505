#include "bench/perplexity.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "base/error.h"
#include "bench/bench_pair.h"
#include "deploy/model_catalogue.h"
#include "model/float_copy.h"

namespace polyphon {
namespace {

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
  PerplexityBench(const PerplexityBenchOptions& options, const Config& config)
      : options_(options), pair_(load_bench_pair(config)) {}

  void run(const OnFigure& on_figure) {
    const Vocabulary& vocabulary = pair_.ours.model->vocabulary();
    tokens_ = vocabulary.tokenize(read_text(options_.text), true, false);
    const int windows =
        std::min(options_.tokens, static_cast<int>(tokens_.size())) / options_.window;
    if (windows == 0)
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} has {} tokens: at least one window of {} is needed",
                              options_.text, tokens_.size(), options_.window),
                  "text");
    for (int first = 0; first < windows; first += options_.streams)
      measure(first, std::min(options_.streams, windows - first));
    report(on_figure);
  }

 private:
  // Windows [first, first + count) beside each other, a row each a step, as streams are decoded;
  // or, with --streams 1, one window as one chunk.
  void measure(int first, int count) {
    for (const BenchEngine* engine : {&pair_.ours, &pair_.stock})
      for (int s = 0; s < options_.streams; ++s) engine->decoder->clear(s);
    const int rows_a_pass = options_.streams == 1 ? options_.window : 1;
    for (int begin = 0; begin < options_.window; begin += rows_a_pass) {
      std::vector<Row> rows;
      for (int s = 0; s < count; ++s)
        for (int i = begin; i < begin + rows_a_pass; ++i)
          rows.push_back({token(first + s, i), i, s, true});
      for (const BenchEngine* engine : {&pair_.ours, &pair_.stock})
        if (engine->decoder->decode(rows, false) != DecodeStatus::kOk)
          throw Error(ErrorCode::kInternal, "cannot decode a window");
      for (size_t i = 0; i < rows.size(); ++i)
        if (rows[i].position + 1 < options_.window)
          compare(static_cast<int>(i), token(first + rows[i].sequence, rows[i].position + 1));
    }
  }

  Token token(int window, int index) const {
    return tokens_[static_cast<size_t>(window) * static_cast<size_t>(options_.window) +
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

  void report(const OnFigure& on_figure) const {
    const double tokens = sums_.tokens;
    const Json row = {{"model", pair_.ours.model->info().description},
                      {"tokens", sums_.tokens},
                      {"window", options_.window},
                      {"streams", options_.streams},
                      {"ours", std::exp(sums_.ours / tokens)},
                      {"stock", std::exp(sums_.stock / tokens)},
                      {"divergence", sums_.divergence / tokens},
                      {"same_best_token", sums_.same_best / tokens},
                      {"worst_logit_difference", sums_.worst_logit}};
    on_figure(
        row, fmt::format("{} tokens in windows of {}, {} at a time: perplexity {:.4f}, stock "
                         "{:.4f}; KL {:.1e} nats a token, the same best token {:.2f} %, "
                         "logits within {:.1e} of the largest\n",
                         sums_.tokens, options_.window, options_.streams, row["ours"].get<double>(),
                         row["stock"].get<double>(), row["divergence"].get<double>(),
                         100 * row["same_best_token"].get<double>(), sums_.worst_logit));
  }

  const PerplexityBenchOptions& options_;
  BenchPair pair_;
  Tokens tokens_;
  std::vector<double> log_ours_, log_stock_;  // scratch
  Sums sums_;
};

}  // namespace

void bench_perplexity(const PerplexityBenchOptions& options, Config config, int least_cells,
                      const OnFigure& on_figure) {
  config.decoder.context_cells = std::max(least_cells, options.window * options.streams);
  config.decoder.max_rows = std::max(config.decoder.max_rows, options.window);
  std::optional<FloatCopy> copy;
  if (options.float_weights) {
    copy.emplace(resolve_model(config.model));
    config.model = copy->path();
  }
  PerplexityBench(options, config).run(on_figure);
}

}  // namespace polyphon
