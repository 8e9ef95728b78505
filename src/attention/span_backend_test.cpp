// Through ggml's own scheduler: which operations come to us, and that both ways give the same.
#include "attention/span_backend.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "simd/weight_kernels.h"
#include "weights/ggml_for_test.h"

namespace polyphon {
namespace {

struct NodeShape {
  int rows = 4, cells = 300, heads = 6, kv_heads = 2, key_size = 64, value_size = 64;
  ggml_type key_type = GGML_TYPE_F16, value_type = GGML_TYPE_F16;
  float max_bias = 0, softcap = 0;
  bool sinks = false;
  int sequences = 1;  // the tensors' fourth dimension
};

struct Result {
  std::vector<float> values;
  bool ours = false;
};

class SpanBackend : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    load_ggml_modules();
    register_span_backend();
  }
  void TearDown() override { enable_span_backend(true); }

  static ggml_tensor* tensor(ggml_context* context, ggml_type type, int size, int heads,
                             int positions, int sequences) {
    // As in a KV cache: heads of a position adjacent, then permuted.
    ggml_tensor* const dense = ggml_new_tensor_4d(context, type, size, heads, positions, sequences);
    return ggml_permute(context, dense, 0, 2, 1, 3);
  }

  static void fill(const ggml_tensor* permuted, Random& random) {
    ggml_tensor* const tensor = permuted->view_src;
    std::vector<float> floats(static_cast<size_t>(ggml_nelements(tensor)));
    for (float& value : floats) value = static_cast<float>(2 * random.uniform() - 1);
    std::vector<char> bytes(ggml_nbytes(tensor));
    ggml_quantize_chunk(tensor->type, floats.data(), bytes.data(), 0,
                        ggml_nelements(tensor) / tensor->ne[0], tensor->ne[0], nullptr);
    ggml_backend_tensor_set(tensor, bytes.data(), 0, bytes.size());
  }

  // Computes the node as a llama_context would: our backend before the CPU's.
  static Result compute(const NodeShape& shape) {
    const GgmlBackend span(ggml_backend_dev_init(ggml_backend_dev_by_name("Span"), nullptr),
                           ggml_backend_free);
    const GgmlBackend cpu = cpu_backend_for_test();
    const std::unique_ptr<ggml_context, decltype(&ggml_free)> owned(
        ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true}), ggml_free);
    ggml_context* const context = owned.get();
    ggml_tensor* const q =
        tensor(context, GGML_TYPE_F32, shape.key_size, shape.heads, shape.rows, shape.sequences);
    ggml_tensor* const k = tensor(context, shape.key_type, shape.key_size, shape.kv_heads,
                                  shape.cells, shape.sequences);
    ggml_tensor* const v = tensor(context, shape.value_type, shape.value_size, shape.kv_heads,
                                  shape.cells, shape.sequences);
    ggml_tensor* const mask =
        ggml_new_tensor_4d(context, GGML_TYPE_F16, shape.cells, shape.rows, 1, shape.sequences);
    ggml_tensor* const node =
        ggml_flash_attn_ext(context, q, k, v, mask, 0.2f, shape.max_bias, shape.softcap);
    ggml_tensor* sinks = nullptr;
    if (shape.sinks) {
      sinks = ggml_new_tensor_1d(context, GGML_TYPE_F32, shape.heads);
      ggml_flash_attn_ext_add_sinks(node, sinks);
    }
    ggml_set_output(node);
    ggml_cgraph* const graph = ggml_new_graph(context);
    ggml_build_forward_expand(graph, node);
    const std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)> buffer(
        ggml_backend_alloc_ctx_tensors(context, cpu.get()), ggml_backend_buffer_free);

    Random random(7);
    fill(q, random), fill(k, random), fill(v, random);
    std::vector<ggml_fp16_t> visible(static_cast<size_t>(ggml_nelements(mask)));
    for (ggml_fp16_t& value : visible)
      value = ggml_fp32_to_fp16(random.uniform() < 0.3 ? -INFINITY
                                : shape.max_bias > 0
                                    ? -static_cast<float>(std::floor(random.uniform() * 100))
                                    : 0.0f);
    ggml_backend_tensor_set(mask, visible.data(), 0, ggml_nbytes(mask));
    if (sinks) {
      const std::vector<float> values(static_cast<size_t>(shape.heads), 1.5f);
      ggml_backend_tensor_set(sinks, values.data(), 0, ggml_nbytes(sinks));
    }

    ggml_backend_t backends[] = {span.get(), cpu.get()};
    const std::unique_ptr<ggml_backend_sched, decltype(&ggml_backend_sched_free)> scheduler(
        ggml_backend_sched_new(backends, nullptr, 2, GGML_DEFAULT_GRAPH_SIZE, false, false),
        ggml_backend_sched_free);
    const uint64_t before = span_attention_count();
    EXPECT_EQ(ggml_backend_sched_graph_compute(scheduler.get(), graph), GGML_STATUS_SUCCESS);
    Result result{std::vector<float>(static_cast<size_t>(ggml_nelements(node))),
                  span_attention_count() > before};
    ggml_backend_tensor_get(node, result.values.data(), 0, ggml_nbytes(node));
    return result;
  }

  static void expect_same(const NodeShape& shape, bool ours, double tolerance) {
    enable_span_backend(true);
    const Result with = compute(shape);
    enable_span_backend(false);
    const Result without = compute(shape);
    EXPECT_EQ(with.ours, ours);
    EXPECT_FALSE(without.ours);
    double worst = 0;
    for (size_t i = 0; i < with.values.size(); ++i)
      worst = std::max<double>(worst, std::abs(with.values[i] - without.values[i]));
    EXPECT_LE(worst, tolerance);
    EXPECT_NE(with.values[0], 0);
  }
};

// ggml rounds the queries to the keys' type and, with F16 values, sums in F16.
constexpr double kRounding = 4e-3;

TEST_F(SpanBackend, GivesWhatGgmlGives) {
  expect_same({}, true, kRounding);
  expect_same({.rows = 1, .cells = 1000}, true, kRounding);
  expect_same({.rows = 100}, true, kRounding);
  expect_same({.key_size = 192, .value_size = 128}, true, kRounding);
  expect_same({.softcap = 2}, true, kRounding);
  expect_same({.max_bias = 8}, true, kRounding);
  expect_same({.sinks = true}, true, kRounding);
  for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_BF16, GGML_TYPE_Q8_0})
    expect_same({.key_type = type, .value_type = type}, true, kRounding);
}

TEST_F(SpanBackend, LeavesTheRestToGgml) {
  expect_same({.key_size = 40, .value_size = 40}, false, 0);
  expect_same({.key_type = GGML_TYPE_Q4_0, .value_type = GGML_TYPE_Q4_0}, false, 0);
  expect_same({.sequences = 2}, false, 0);
}

// ---- Weights ----------------------------------------------------------------------------------

// Where libllama would load a matrix, and its product with 5 rows by the scheduler.
struct Product {
  std::string buffer_type;
  std::vector<float> values;
};

Product multiply(ggml_type type, int matrices) {
  using Context = std::unique_ptr<ggml_context, decltype(&ggml_free)>;
  using Buffer = std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)>;
  const auto context = [] {
    return Context(ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true}),
                   ggml_free);
  };
  ggml_backend_dev_t const device = ggml_backend_dev_by_name("Span");
  const GgmlBackend cpu = cpu_backend_for_test();
  const GgmlBackend span(ggml_backend_dev_init(device, nullptr), ggml_backend_free);
  const Context weights_context = context(), graph_context = context();
  ggml_tensor* const weights = ggml_new_tensor_3d(weights_context.get(), type, 512, 40, matrices);
  ggml_tensor* const in = ggml_new_tensor_3d(graph_context.get(), GGML_TYPE_F32, 512, 5, matrices);
  ggml_set_input(in);
  ggml_tensor* const product = ggml_mul_mat(graph_context.get(), weights, in);
  ggml_set_output(product);

  // As libllama asks: with a buffer of the offered type that holds nothing yet.
  ggml_backend_buffer_type_t buffer_type = ggml_backend_dev_buffer_type(device);
  const Buffer probe(ggml_backend_buft_alloc_buffer(buffer_type, 0), ggml_backend_buffer_free);
  weights->buffer = probe.get();
  if (!ggml_backend_dev_supports_op(device, product)) buffer_type = ggml_backend_cpu_buffer_type();
  weights->buffer = nullptr;
  const Buffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(weights_context.get(), buffer_type),
                      ggml_backend_buffer_free);
  ggml_backend_buffer_set_usage(buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);

  Random random(3);
  const auto floats = [&](const ggml_tensor* like) {
    std::vector<float> values(static_cast<size_t>(ggml_nelements(like)));
    for (float& value : values) value = static_cast<float>(2 * random.uniform() - 1);
    return values;
  };
  std::vector<char> bytes(ggml_nbytes(weights));
  ggml_quantize_chunk(type, floats(weights).data(), bytes.data(), 0, ggml_nrows(weights), 512,
                      nullptr);
  ggml_backend_tensor_set(weights, bytes.data(), 0, bytes.size());

  ggml_cgraph* const graph = ggml_new_graph(graph_context.get());
  ggml_build_forward_expand(graph, product);
  ggml_backend_t backends[] = {span.get(), cpu.get()};
  const std::unique_ptr<ggml_backend_sched, decltype(&ggml_backend_sched_free)> scheduler(
      ggml_backend_sched_new(backends, nullptr, 2, GGML_DEFAULT_GRAPH_SIZE, false, false),
      ggml_backend_sched_free);
  EXPECT_TRUE(ggml_backend_sched_alloc_graph(scheduler.get(), graph));
  const std::vector<float> rows = floats(in);
  ggml_backend_tensor_set(in, rows.data(), 0, ggml_nbytes(in));
  EXPECT_EQ(ggml_backend_sched_graph_compute(scheduler.get(), graph), GGML_STATUS_SUCCESS);
  Product result{ggml_backend_buft_name(buffer_type),
                 std::vector<float>(static_cast<size_t>(ggml_nelements(product)))};
  ggml_backend_tensor_get(product, result.values.data(), 0, ggml_nbytes(product));
  return result;
}

void expect_route(ggml_type type, int matrices, bool ours) {
  SCOPED_TRACE(ggml_type_name(type));
  enable_span_backend(true);
  const Product with = multiply(type, matrices);
  enable_span_backend(false);
  const Product without = multiply(type, matrices);
  EXPECT_EQ(with.buffer_type, ours ? "Span_Weights" : "CPU");
  EXPECT_EQ(without.buffer_type, "CPU");
  for (size_t i = 0; i < with.values.size(); ++i)
    ASSERT_NEAR(with.values[i], without.values[i], 1e-4);
  EXPECT_NE(with.values[0], 0);
}

TEST_F(SpanBackend, TakesWeightsThatItCanMultiply) {
  if (!weight_kernels_are_fast()) GTEST_SKIP() << "this machine keeps ggml's kernels";
  for (const ggml_type type : {GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q8_0,
                               GGML_TYPE_Q4_K, GGML_TYPE_Q6_K})
    expect_route(type, 1, true);
}

TEST_F(SpanBackend, LeavesOtherWeightsToGgml) {
  expect_route(GGML_TYPE_Q5_K, 1, false);
  expect_route(GGML_TYPE_F16, 1, false);
  expect_route(GGML_TYPE_Q4_K, 3, false);
}

}  // namespace
}  // namespace polyphon
