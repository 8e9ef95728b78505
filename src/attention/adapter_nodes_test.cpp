// The nodes that libllama makes for an adapter, through ggml's own scheduler: which come to us, and
// that they give what ggml's kernels give.
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "attention/span_backend.h"
#include "base/random.h"
#include "simd/weight_kernels.h"
#include "weights/ggml_for_test.h"

namespace polyphon {
namespace {

using Context = std::unique_ptr<ggml_context, decltype(&ggml_free)>;
using Buffer = std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)>;

Context make_context() {
  return {ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true}), ggml_free};
}

struct AdapterShape {
  int rows = 5, rank = 16;
  ggml_type type = GGML_TYPE_F32;
  const char* weight = "blk.0.ffn_up.weight";
  bool asked_between = false;  // b * (a * in) is an output too
  bool reversed = false;       // the sum's operands, as libllama never has them
};

struct Outcome {
  std::vector<float> sum, between;
  bool sum_is_ours = false;
};

class AdapterNodes : public testing::Test {
 protected:
  static constexpr int kColumns = 512, kOutputs = 40;

  static void SetUpTestSuite() {
    load_ggml_modules();
    register_span_backend();
  }
  void SetUp() override {
    if (!weight_kernels_are_fast()) GTEST_SKIP() << "this machine keeps ggml's kernels";
  }
  void TearDown() override { enable_span_backend(true); }

  static void fill(ggml_tensor* tensor, Random& random) {
    std::vector<float> values(static_cast<size_t>(ggml_nelements(tensor)));
    for (float& value : values) value = static_cast<float>(2 * random.uniform() - 1);
    std::vector<char> bytes(ggml_nbytes(tensor));
    ggml_quantize_chunk(tensor->type, values.data(), bytes.data(), 0, ggml_nrows(tensor),
                        tensor->ne[0], nullptr);
    ggml_backend_tensor_set(tensor, bytes.data(), 0, bytes.size());
  }

  static std::vector<float> values_of(const ggml_tensor* tensor) {
    std::vector<float> values(static_cast<size_t>(ggml_nelements(tensor)));
    ggml_backend_tensor_get(tensor, values.data(), 0, ggml_nbytes(tensor));
    return values;
  }

  // Weights and adapter in the buffer type that the enabled device offers, as libllama loads them.
  static Outcome compute(const AdapterShape& shape) {
    ggml_backend_dev_t const device = ggml_backend_dev_by_name("Span");
    const GgmlBackend cpu = cpu_backend_for_test();
    const GgmlBackend span(ggml_backend_dev_init(device, nullptr), ggml_backend_free);
    const Context model = make_context(), adapter = make_context(), graph_context = make_context();
    ggml_tensor* const weights =
        ggml_new_tensor_2d(model.get(), GGML_TYPE_Q4_1, kColumns, kOutputs);
    ggml_tensor* const a = ggml_new_tensor_2d(adapter.get(), shape.type, kColumns, shape.rank);
    ggml_tensor* const b = ggml_new_tensor_2d(adapter.get(), shape.type, shape.rank, kOutputs);
    ggml_format_name(a, "%s.lora_a", shape.weight);
    ggml_format_name(b, "%s.lora_b", shape.weight);
    const auto allocate = [&](const Context& context) {
      Buffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(context.get(),
                                                             ggml_backend_dev_buffer_type(device)),
                    ggml_backend_buffer_free);
      ggml_backend_buffer_set_usage(buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
      return buffer;
    };
    const Buffer model_buffer = allocate(model), adapter_buffer = allocate(adapter);
    Random random(5);
    for (ggml_tensor* tensor : {weights, a, b}) fill(tensor, random);

    ggml_context* const c = graph_context.get();
    ggml_tensor* const in = ggml_new_tensor_2d(c, GGML_TYPE_F32, kColumns, shape.rows);
    ggml_set_input(in);
    ggml_tensor* const base = ggml_mul_mat(c, weights, in);
    ggml_tensor* const product = ggml_mul_mat(c, b, ggml_mul_mat(c, a, in));
    if (shape.asked_between) ggml_set_output(product);
    ggml_tensor* const scaled = ggml_scale(c, product, 0.5f);
    ggml_tensor* const sum = shape.reversed ? ggml_add(c, scaled, base) : ggml_add(c, base, scaled);
    ggml_set_output(sum);
    ggml_cgraph* const graph = ggml_new_graph(c);
    ggml_build_forward_expand(graph, sum);
    ggml_backend_t backends[] = {span.get(), cpu.get()};
    const std::unique_ptr<ggml_backend_sched, decltype(&ggml_backend_sched_free)> scheduler(
        ggml_backend_sched_new(backends, nullptr, 2, GGML_DEFAULT_GRAPH_SIZE, false, false),
        ggml_backend_sched_free);
    EXPECT_TRUE(ggml_backend_sched_alloc_graph(scheduler.get(), graph));
    fill(in, random);
    EXPECT_EQ(ggml_backend_sched_graph_compute(scheduler.get(), graph), GGML_STATUS_SUCCESS);
    Outcome outcome{values_of(sum), {}};
    if (shape.asked_between) outcome.between = values_of(product);
    outcome.sum_is_ours = ggml_backend_sched_get_tensor_backend(scheduler.get(), sum) == span.get();
    return outcome;
  }

  static void expect_near(const std::vector<float>& ours, const std::vector<float>& stock) {
    ASSERT_EQ(ours.size(), stock.size());
    // Sums of up to 512 products; ggml rounds their input to binary16 where the matrix is.
    for (size_t i = 0; i < ours.size(); ++i) ASSERT_NEAR(ours[i], stock[i], 2e-2) << i;
  }

  static void expect_same(const AdapterShape& shape, bool ours) {
    enable_span_backend(true);
    const Outcome with = compute(shape);
    enable_span_backend(false);
    const Outcome without = compute(shape);
    EXPECT_EQ(with.sum_is_ours, ours);
    EXPECT_FALSE(without.sum_is_ours);
    expect_near(with.sum, without.sum);
    expect_near(with.between, without.between);
    EXPECT_NE(with.sum[0], 0);
  }
};

TEST_F(AdapterNodes, GiveWhatGgmlGives) {
  for (const int rows : {1, 2, 8, 9, 70})
    for (const int rank : {1, 8, 16, 33}) {
      SCOPED_TRACE(testing::Message() << rows << " rows, rank " << rank);
      expect_same({.rows = rows, .rank = rank}, true);
    }
  expect_same({.type = GGML_TYPE_F16}, true);
}

TEST_F(AdapterNodes, KeepWhatIsAskedForBetweenThem) { expect_same({.asked_between = true}, true); }

TEST_F(AdapterNodes, AreLeftToGgmlWhereTheyAreNotLibllamas) {
  expect_same({.reversed = true}, false);
  // Rows of these are looked up: they lie where ggml can.
  expect_same({.weight = "token_embd.weight"}, false);
}

}  // namespace
}  // namespace polyphon
