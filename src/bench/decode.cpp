#include "bench/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "attention/memory_bandwidth.h"
#include "base/error.h"
#include "base/random.h"
#include "bench/bench_pair.h"

namespace polyphon {
namespace {

// A cache of `prompt` cells and `streams` views of it, whose next steps can be decoded again and
// again. Which cells a view has: shared, all; private, every streams-th, as streams leave them that
// thought beside each other; mixed, the first half all and of the other half its own.
class Streams {
 public:
  Streams(Decoder& decoder, int prompt, int streams, const std::string& views)
      : decoder_(decoder), streams_(streams) {
    const int common = views == "shared" ? prompt : views == "mixed" ? prompt / 2 : 0;
    for (int s = 0; s < streams; ++s) decoder_.clear(s);
    std::vector<Row> rows;
    for (int i = 0; i < common; ++i) add(rows, {token(), i, 0, false});
    flush(rows);
    for (int s = 1; s < streams; ++s) decoder_.join(0, s, 0, common);
    for (int i = common; i < prompt; ++i) {
      const int s = (i - common) % streams;
      add(rows, {token(), common + (i - common) / streams, s, false});
    }
    flush(rows);
    for (int s = 0; s < streams; ++s) next_.push_back(decoder_.last_position(s) + 1);
  }
  ~Streams() {
    for (int s = 0; s < streams_; ++s) decoder_.clear(s);
  }
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  // Seconds of `steps` steps of so many rows a stream, with the logits of the last ones; then
  // forgets them.
  double decode(int steps, int rows_a_stream) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < steps; ++i) {
      std::vector<Row> rows;
      for (int s = 0; s < streams_; ++s)
        for (int r = 0; r < rows_a_stream; ++r)
          rows.push_back({token(), next_[static_cast<size_t>(s)] + i * rows_a_stream + r, s,
                          r + 1 == rows_a_stream});
      run(rows);
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    for (int s = 0; s < streams_; ++s) {
      const Position next = next_[static_cast<size_t>(s)];
      decoder_.drop(s, next, next + steps * rows_a_stream);
    }
    return taken.count();
  }

 private:
  Token token() { return static_cast<Token>(100 + random_.next() % 1000); }
  void run(const std::vector<Row>& rows) {
    if (decoder_.decode(rows, false) != DecodeStatus::kOk)
      throw Error(ErrorCode::kInternal, "cannot decode: is --ctx-size too small?");
  }
  void add(std::vector<Row>& rows, const Row& row) {
    rows.push_back(row);
    if (static_cast<int>(rows.size()) == decoder_.max_rows()) flush(rows);
  }
  void flush(std::vector<Row>& rows) {
    if (!rows.empty()) run(rows);
    rows.clear();
  }

  Decoder& decoder_;
  int streams_;
  std::vector<Position> next_;
  Random random_{1};
};

class DecodeBench {
 public:
  DecodeBench(const DecodeBenchOptions& options, const Config& config, const OnFigure& on_figure)
      : options_(options),
        on_figure_(on_figure),
        pair_(load_bench_pair(config)),
        bandwidth_(read_bandwidth(config.decoder.threads)) {}

  void run() {
    for (const int prompt : options_.prompts)
      for (const std::string& views : options_.views)
        for (const int streams : options_.streams)
          if (streams > 1 || views == "shared") measure(prompt, streams, views, 1);
    for (const int prompt : options_.prompts)
      for (const int rows : options_.chunks)
        if (rows > 0) measure(prompt, 1, "shared", rows);
  }

 private:
  // `rows` of each stream at a time: one while it thinks, more while a prompt is read.
  void measure(int prompt, int streams, const std::string& views, int rows) {
    const int steps = rows == 1 ? options_.steps : 1;
    std::vector<double> ours, stock, ratios;
    {
      Streams with(*pair_.ours.decoder, prompt, streams, views);
      Streams without(*pair_.stock.decoder, prompt, streams, views);
      with.decode(1, rows), without.decode(1, rows);  // graphs are made, threads are awake
      const double tokens = streams * steps * rows;
      for (int i = 0; i < options_.repeats; ++i) {
        ours.push_back(tokens / with.decode(steps, rows));
        stock.push_back(tokens / without.decode(steps, rows));
        ratios.push_back(ours.back() / stock.back());
      }
    }
    const Spread speed = spread_of(ours), peer = spread_of(stock), ratio = spread_of(ratios);
    // Weights, and the cells that are seen, once a step.
    const double bytes = static_cast<double>(pair_.ours.model->info().size_bytes) +
                         static_cast<double>(pair_.ours.decoder->bytes_per_cell()) * prompt;
    const double share = bytes * speed.median / (streams * rows) / bandwidth_;
    const Json row = {{"model", pair_.ours.model->info().description},
                      {"prompt", prompt},
                      {"streams", streams},
                      {"rows", rows},
                      {"views", views},
                      {"shared", views == "shared"},
                      {"ours_tokens_per_s", speed.median},
                      {"stock_tokens_per_s", peer.median},
                      {"ratio", ratio.median},
                      {"ours", to_json(speed)},
                      {"stock", to_json(peer)},
                      {"ratio_spread", to_json(ratio)},
                      {"bytes_per_step", bytes},
                      {"share_of_bandwidth", share},
                      {"bandwidth_bytes_per_s", bandwidth_},
                      {"cpu", processor()},
                      {"steps", steps},
                      {"repeats", options_.repeats}};
    on_figure_(row,
               fmt::format("prompt {:>5} {:<7} {:>2} x {:>3} rows: {:7.1f} tokens/s, stock "
                           "{:7.1f}, ratio {:5.2f} ({:.2f} to {:.2f}), {:3.0f} % of bandwidth\n",
                           prompt, views, streams, rows, speed.median, peer.median, ratio.median,
                           ratio.least, ratio.most, 100 * share));
  }

  const DecodeBenchOptions& options_;
  const OnFigure& on_figure_;
  BenchPair pair_;
  double bandwidth_ = 0;
};

}  // namespace

void bench_decode(const DecodeBenchOptions& options, Config config, int least_cells,
                  const OnFigure& on_figure) {
  const int most_streams = *std::max_element(options.streams.begin(), options.streams.end());
  const int new_cells = std::max(most_streams * options.steps,
                                 *std::max_element(options.chunks.begin(), options.chunks.end()));
  const int most_cells =
      *std::max_element(options.prompts.begin(), options.prompts.end()) + new_cells;
  config.decoder.context_cells = std::max(least_cells, (most_cells + 255) / 256 * 256);
  DecodeBench(options, config, on_figure).run();
}

}  // namespace polyphon
