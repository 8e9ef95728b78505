#include "bench/attention.h"

#include <fmt/format.h>

#include <map>

#include "attention/attention_timing.h"
#include "attention/memory_bandwidth.h"
#include "attention/span_backend.h"
#include "base/error.h"
#include "model/language_model.h"
#include "simd/span_kernels.h"

namespace polyphon {
namespace {

const std::map<std::string, KvType> kTypes = {
    {"f32", KvType::kF32}, {"f16", KvType::kF16}, {"bf16", KvType::kBF16}, {"q8_0", KvType::kQ80}};
const std::map<std::string, AttentionViews> kViews = {{"shared", AttentionViews::kShared},
                                                      {"private", AttentionViews::kPrivate},
                                                      {"mixed", AttentionViews::kMixed}};

template <typename Value>
Value named(const std::map<std::string, Value>& values, const std::string& name,
            const char* field) {
  const auto found = values.find(name);
  if (found == values.end())
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{} cannot be '{}'", field, name), field);
  return found->second;
}

void measure(const AttentionBenchOptions& options, const AttentionShape& shape,
             const std::string& views, double bandwidth, const OnFigure& on_figure) {
  const AttentionTiming timing = time_attention(shape, options.threads, options.repeats);
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
                    {"type", options.type},
                    {"ours_us", 1e6 * ours.median},
                    {"stock_us", 1e6 * stock.median},
                    {"ratio", ratio.median},
                    {"ratio_spread", to_json(ratio)},
                    {"bytes", timing.bytes},
                    {"share_of_bandwidth", share},
                    {"bandwidth_bytes_per_s", bandwidth},
                    {"kernels", span_kernel_target()},
                    {"cpu", processor()},
                    {"repeats", options.repeats}};
  on_figure(row, fmt::format("prompt {:>5} {:<7} {:>3} rows: {:8.1f} us, stock {:9.1f}, ratio "
                             "{:5.2f} ({:.2f} to {:.2f}), {:3.0f} % of bandwidth\n",
                             shape.cells, views, shape.rows, 1e6 * ours.median, 1e6 * stock.median,
                             ratio.median, ratio.least, ratio.most, 100 * share));
}

}  // namespace

void bench_attention(const AttentionBenchOptions& options, const OnFigure& on_figure) {
  const KvType type = named(kTypes, options.type, "type");
  for (const std::string& views : options.views) named(kViews, views, "views");
  if (options.kv_heads < 1 || options.heads % options.kv_heads != 0)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} KV heads do not divide {} heads", options.kv_heads, options.heads),
                "kv_heads");
  compute_info();  // ggml's modules are loaded
  register_span_backend();
  const double bandwidth = read_bandwidth(options.threads);
  for (const int prompt : options.prompts)
    for (const std::string& views : options.views)
      for (const int rows : options.rows) {
        // One row has one view, and so has a chunk of a prompt.
        if ((rows == 1 || rows >= 64) && views != "shared") continue;
        measure(options,
                {rows, prompt, options.heads, options.kv_heads, options.head_size, type,
                 kViews.at(views)},
                views, bandwidth, on_figure);
      }
}

}  // namespace polyphon
