#include "attention/attention_timing.h"

#include <ggml-backend.h>
#include <ggml.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <thread>

#include "attention/span_backend.h"
#include "base/check.h"
#include "base/random.h"
#include "weights/backend_threads.h"

namespace polyphon {
namespace {

ggml_type ggml_type_of(KvType type) {
  switch (type) {
    case KvType::kF32:
      return GGML_TYPE_F32;
    case KvType::kF16:
      return GGML_TYPE_F16;
    case KvType::kBF16:
      return GGML_TYPE_BF16;
    case KvType::kQ80:
      return GGML_TYPE_Q8_0;
  }
  return GGML_TYPE_F16;
}

bool sees(const AttentionShape& shape, int row, int cell) {
  switch (shape.views) {
    case AttentionViews::kShared:
      return true;
    case AttentionViews::kPrivate:
      return cell % shape.rows == row;
    case AttentionViews::kMixed:
      return cell < shape.cells / 2 || cell % shape.rows == row;
  }
  return true;
}

class TimedAttention {
 public:
  TimedAttention(const AttentionShape& shape, int threads)
      : context_(ggml_init({.mem_size = size_t{1} << 20, .mem_buffer = nullptr, .no_alloc = true}),
                 ggml_free),
        cpu_(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr), ggml_backend_free),
        ours_(ggml_backend_dev_init(ggml_backend_dev_by_name("Span"), nullptr), ggml_backend_free) {
    POLYPHON_CHECK(cpu_ && ours_);
    for (ggml_backend_t backend : {cpu_.get(), ours_.get()}) set_backend_threads(backend, threads);
    graph_ = ggml_new_graph(context_.get());
    ggml_tensor* const mask =
        ggml_new_tensor_2d(context_.get(), GGML_TYPE_F16, shape.cells, shape.rows);
    std::vector<ggml_tensor*> inputs;
    for (int i = 0; i < shape.layers; ++i) {
      ggml_tensor* const q = tensor(GGML_TYPE_F32, shape.head_size, shape.heads, shape.rows);
      ggml_tensor* const k =
          tensor(ggml_type_of(shape.type), shape.head_size, shape.kv_heads, shape.cells);
      ggml_tensor* const v =
          tensor(ggml_type_of(shape.type), shape.head_size, shape.kv_heads, shape.cells);
      inputs.insert(inputs.end(), {q->view_src, k->view_src, v->view_src});
      ggml_build_forward_expand(
          graph_, ggml_flash_attn_ext(context_.get(), q, k, v, mask,
                                      1 / std::sqrt(static_cast<float>(shape.head_size)), 0, 0));
    }
    buffer_.reset(ggml_backend_alloc_ctx_tensors(context_.get(), cpu_.get()));
    POLYPHON_CHECK(buffer_ != nullptr);
    for (ggml_tensor* input : inputs) fill(input);
    std::vector<ggml_fp16_t> values;
    for (int row = 0; row < shape.rows; ++row)
      for (int cell = 0; cell < shape.cells; ++cell)
        values.push_back(ggml_fp32_to_fp16(sees(shape, row, cell) ? 0.0f : -INFINITY));
    ggml_backend_tensor_set(mask, values.data(), 0, ggml_nbytes(mask));
  }

  // Seconds of all operations.
  double ours() { return seconds(ours_.get()); }
  double stock() { return seconds(cpu_.get()); }

 private:
  using Backend = std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)>;

  // As in a KV cache: heads of a position adjacent, then permuted.
  ggml_tensor* tensor(ggml_type type, int size, int heads, int positions) {
    return ggml_permute(context_.get(),
                        ggml_new_tensor_3d(context_.get(), type, size, heads, positions), 0, 2, 1,
                        3);
  }

  void fill(ggml_tensor* tensor) {
    std::vector<float> floats(static_cast<size_t>(ggml_nelements(tensor)));
    for (float& value : floats) value = static_cast<float>(2 * random_.uniform() - 1);
    std::vector<char> bytes(ggml_nbytes(tensor));
    ggml_quantize_chunk(tensor->type, floats.data(), bytes.data(), 0, ggml_nrows(tensor),
                        tensor->ne[0], nullptr);
    ggml_backend_tensor_set(tensor, bytes.data(), 0, bytes.size());
  }

  double seconds(ggml_backend_t backend) {
    const auto start = std::chrono::steady_clock::now();
    POLYPHON_CHECK(ggml_backend_graph_compute(backend, graph_) == GGML_STATUS_SUCCESS);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  std::unique_ptr<ggml_context, decltype(&ggml_free)> context_;
  Backend cpu_, ours_;
  ggml_cgraph* graph_ = nullptr;
  std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)> buffer_{
      nullptr, ggml_backend_buffer_free};
  Random random_{1};
};

}  // namespace

AttentionTiming time_attention(const AttentionShape& shape, int threads, int repeats) {
  if (threads == 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  enable_span_backend(true);
  TimedAttention attention(shape, threads);
  attention.ours(), attention.stock();  // threads are awake
  AttentionTiming timing;
  for (int i = 0; i < repeats; ++i) {
    timing.ours_s.push_back(attention.ours() / shape.layers);
    timing.stock_s.push_back(attention.stock() / shape.layers);
  }
  const auto type = ggml_type_of(shape.type);
  timing.bytes = 2 * ggml_row_size(type, static_cast<int64_t>(shape.head_size) * shape.kv_heads) *
                 static_cast<uint64_t>(shape.cells);
  return timing;
}

}  // namespace polyphon
