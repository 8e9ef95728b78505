// polyphon bench decode: the same steps of the same rows, with our kernels and with ggml's own, in
// turn and on the same threads, so that every figure is a pair.
#include <fmt/format.h>

#include <chrono>
#include <iostream>
#include <memory>

#include "app/bench.h"
#include "app/bench_pair.h"
#include "app/usage.h"
#include "attention/memory_bandwidth.h"
#include "base/error.h"
#include "base/random.h"
#include "deploy/load.h"

namespace polyphon {
namespace {

struct DecodeFlags {
  ModelFlags model;
  bool json = false;
  int repeats = 5, steps = 8;
  std::vector<int> prompts = {128, 1024, 2048, 8192};
  std::vector<int> streams = {1, 2, 4, 8, 16, 32};
  std::vector<int> chunks = {64, 256, 512};
  std::vector<std::string> views = {"shared", "private", "mixed"};
};

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
  DecodeBench(const DecodeFlags& flags, const Config& config)
      : flags_(flags),
        pair_(load_bench_pair(config)),
        bandwidth_(read_bandwidth(config.decoder.threads)) {}

  int run() {
    for (const int prompt : flags_.prompts)
      for (const std::string& views : flags_.views)
        for (const int streams : flags_.streams)
          if (streams > 1 || views == "shared") measure(prompt, streams, views, 1);
    for (const int prompt : flags_.prompts)
      for (const int rows : flags_.chunks)
        if (rows > 0) measure(prompt, 1, "shared", rows);
    return 0;
  }

 private:
  // `rows` of each stream at a time: one while it thinks, more while a prompt is read.
  void measure(int prompt, int streams, const std::string& views, int rows) {
    const int steps = rows == 1 ? flags_.steps : 1;
    std::vector<double> ours, stock, ratios;
    {
      Streams with(*pair_.ours.decoder, prompt, streams, views);
      Streams without(*pair_.stock.decoder, prompt, streams, views);
      with.decode(1, rows), without.decode(1, rows);  // graphs are made, threads are awake
      const double tokens = streams * steps * rows;
      for (int i = 0; i < flags_.repeats; ++i) {
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
                      {"repeats", flags_.repeats}};
    print_out(
        flags_.json
            ? row.dump() + "\n"
            : fmt::format("prompt {:>5} {:<7} {:>2} x {:>3} rows: {:7.1f} tokens/s, stock "
                          "{:7.1f}, ratio {:5.2f} ({:.2f} to {:.2f}), {:3.0f} % of bandwidth\n",
                          prompt, views, streams, rows, speed.median, peer.median, ratio.median,
                          ratio.least, ratio.most, 100 * share));
  }

  DecodeFlags flags_;
  BenchPair pair_;
  double bandwidth_ = 0;
};

int bench_decode(const DecodeFlags& flags) {
  Config config = flags.model.config();
  const int most_streams = *std::max_element(flags.streams.begin(), flags.streams.end());
  const int new_cells = std::max(most_streams * flags.steps,
                                 *std::max_element(flags.chunks.begin(), flags.chunks.end()));
  const int most_cells = *std::max_element(flags.prompts.begin(), flags.prompts.end()) + new_cells;
  config.decoder.context_cells =
      std::max(flags.model.context_cells.value_or(0), (most_cells + 255) / 256 * 256);
  return DecodeBench(flags, config).run();
}

}  // namespace

void add_decode_bench(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<DecodeFlags>();
  CLI::App& decode = *bench.add_subcommand(
      "decode", "Measure the steps of a model, our kernels beside ggml's own");
  flags->model.add_to(decode);
  decode.add_flag("--json", flags->json, "One JSON object a line instead of text");
  decode.add_option("--prompt", flags->prompts, "Cells in the cache, comma separated")
      ->delimiter(',')
      ->check(at_least(1));
  decode
      .add_option("--streams", flags->streams,
                  "Streams that decode a row each a step, comma separated")
      ->delimiter(',')
      ->check(at_least(1));
  decode
      .add_option("--chunks", flags->chunks,
                  "Tokens of a prompt that are read at a time, comma separated; 0: none")
      ->delimiter(',')
      ->check(at_least(0));
  decode
      .add_option("--views", flags->views,
                  "Cells that rows see, comma separated: all the same (shared), each its own "
                  "(private), or half and half (mixed)")
      ->delimiter(',')
      ->check(one_of({"shared", "private", "mixed"}));
  decode.add_option("--steps", flags->steps, "Steps of a measurement")->check(in_range(1, 10000));
  decode.add_option("--repeats", flags->repeats, "Measurements of each figure")
      ->check(in_range(1, 100));
  decode.callback([flags, &run] { run = [flags] { return bench_decode(*flags); }; });
}

}  // namespace polyphon
