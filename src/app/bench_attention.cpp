// polyphon bench attention: one operation, our kernels and ggml's own in turn.
#include <fmt/format.h>

#include <map>

#include "app/bench.h"
#include "app/usage.h"
#include "attention/attention_timing.h"
#include "attention/memory_bandwidth.h"
#include "attention/span_backend.h"
#include "model/language_model.h"
#include "simd/span_kernels.h"

namespace polyphon {
namespace {

struct AttentionFlags {
  bool json = false;
  int repeats = 9, threads = 0;
  int heads = 9, kv_heads = 3, head_size = 64;
  std::string type = "f16";
  std::vector<int> prompts = {128, 1024, 2048, 8192};
  std::vector<int> rows = {1, 2, 4, 8, 16, 32, 64, 512};
  std::vector<std::string> views = {"shared", "private", "mixed"};
};

const std::map<std::string, KvType> kTypes = {
    {"f32", KvType::kF32}, {"f16", KvType::kF16}, {"bf16", KvType::kBF16}, {"q8_0", KvType::kQ80}};
const std::map<std::string, AttentionViews> kViews = {{"shared", AttentionViews::kShared},
                                                      {"private", AttentionViews::kPrivate},
                                                      {"mixed", AttentionViews::kMixed}};

void measure(const AttentionFlags& flags, const AttentionShape& shape, const std::string& views,
             double bandwidth) {
  const AttentionTiming timing = time_attention(shape, flags.threads, flags.repeats);
  std::vector<double> ratios;
  for (size_t i = 0; i < timing.ours_s.size(); ++i)
    ratios.push_back(timing.stock_s[i] / timing.ours_s[i]);
  const Spread ours = spread_of(timing.ours_s), stock = spread_of(timing.stock_s);
  const Spread ratio = spread_of(ratios);
  const double share = static_cast<double>(timing.bytes) / ours.median / bandwidth;
  const Json row = {{"prompt", shape.cells},
                    {"rows", shape.rows},
                    {"views", views},
                    {"heads", shape.heads},
                    {"kv_heads", shape.kv_heads},
                    {"head_size", shape.head_size},
                    {"type", flags.type},
                    {"ours_us", 1e6 * ours.median},
                    {"stock_us", 1e6 * stock.median},
                    {"ratio", ratio.median},
                    {"ratio_spread", to_json(ratio)},
                    {"bytes", timing.bytes},
                    {"share_of_bandwidth", share},
                    {"bandwidth_bytes_per_s", bandwidth},
                    {"kernels", span_kernel_target()},
                    {"cpu", processor()},
                    {"repeats", flags.repeats}};
  print_out(flags.json
                ? row.dump() + "\n"
                : fmt::format("prompt {:>5} {:<7} {:>3} rows: {:8.1f} us, stock {:9.1f}, ratio "
                              "{:5.2f} ({:.2f} to {:.2f}), {:3.0f} % of bandwidth\n",
                              shape.cells, views, shape.rows, 1e6 * ours.median, 1e6 * stock.median,
                              ratio.median, ratio.least, ratio.most, 100 * share));
}

int bench_attention(const AttentionFlags& flags) {
  compute_info();  // ggml's modules are loaded
  register_span_backend();
  const double bandwidth = read_bandwidth(flags.threads);
  for (const int prompt : flags.prompts)
    for (const std::string& views : flags.views)
      for (const int rows : flags.rows) {
        // One row has one view, and so has a chunk of a prompt.
        if ((rows == 1 || rows >= 64) && views != "shared") continue;
        measure(flags,
                {rows, prompt, flags.heads, flags.kv_heads, flags.head_size, kTypes.at(flags.type),
                 kViews.at(views)},
                views, bandwidth);
      }
  return 0;
}

}  // namespace

void add_attention_bench(CLI::App& bench, Run& run) {
  auto flags = std::make_shared<AttentionFlags>();
  CLI::App& attention = *bench.add_subcommand(
      "attention", "Measure the attention operation, our kernels beside ggml's own");
  attention.add_flag("--json", flags->json, "One JSON object a line instead of text");
  attention.add_option("--prompt", flags->prompts, "Cells in the cache, comma separated")
      ->delimiter(',')
      ->check(in_range(1, 1 << 20));
  attention.add_option("--rows", flags->rows, "Rows of one decode, comma separated")
      ->delimiter(',')
      ->check(in_range(1, 4096));
  attention
      .add_option("--views", flags->views,
                  "Cells that rows see, comma separated: all the same (shared), each its own "
                  "(private), or half and half (mixed)")
      ->delimiter(',')
      ->check(one_of({"shared", "private", "mixed"}));
  attention.add_option("--heads", flags->heads, "Heads of queries")->check(in_range(1, 256));
  attention
      .add_option("--kv-heads", flags->kv_heads, "Heads of keys and values, a divisor of --heads")
      ->check(in_range(1, 256));
  attention.add_option("--head-size", flags->head_size, "Numbers of a head")
      ->check(one_of({"64", "80", "96", "112", "128", "192", "256"}));
  attention.add_option("--kv-type", flags->type, "Number format of the KV cache")
      ->check(one_of({"f32", "f16", "bf16", "q8_0"}));
  attention.add_option("--threads", flags->threads, "CPU threads; 0: one a core")
      ->check(in_range(0, 1024));
  attention.add_option("--repeats", flags->repeats, "Measurements of each figure")
      ->check(in_range(1, 1000));
  attention.callback([flags, &run] {
    if (flags->heads % flags->kv_heads != 0)
      throw CLI::ValidationError("--kv-heads", fmt::format("is '{}': must divide --heads, {}",
                                                           flags->kv_heads, flags->heads));
    run = [flags] { return bench_attention(*flags); };
  });
}

}  // namespace polyphon
