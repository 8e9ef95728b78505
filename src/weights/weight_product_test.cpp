// Quantised weights against ggml's own products of the same tensors: the same integers and scales,
// so only the order of sums may differ. Floats against sums in double precision.
#include "weights/weight_product.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "base/random.h"
#include "simd/aligned_array.h"
#include "simd/weight_kernels.h"
#include "weights/ggml_for_test.h"
#include "weights/pack_panels.h"
#include "weights/weight_buffer.h"

namespace polyphon {
namespace {

struct Shape {
  ggml_type type;
  int columns, rows, input_rows;
};

std::vector<float> random_floats(Random& random, size_t size, float magnitude) {
  std::vector<float> floats(size);
  for (float& value : floats)
    value = magnitude * static_cast<float>(random.uniform() + random.uniform() - 1);
  return floats;
}

// A matrix in GGUF's layout, an input, and ggml's product of them.
class Case {
 public:
  Case(const Shape& shape, float magnitude)
      : context_(ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true}),
                 ggml_free),
        weights_(ggml_new_tensor_2d(context_.get(), shape.type, shape.columns, shape.rows)),
        random_(static_cast<uint64_t>(shape.columns * 131 + shape.rows * 17 + shape.input_rows)) {
    const std::vector<float> floats = random_floats(random_, size(shape.columns, shape.rows), 1);
    bytes.resize(ggml_nbytes(weights_));
    ggml_quantize_chunk(shape.type, floats.data(), bytes.data(), 0, shape.rows, shape.columns,
                        nullptr);
    in = random_floats(random_, size(shape.columns, shape.input_rows), magnitude);
    compute(shape);
  }

  const ggml_tensor* weights() const { return weights_; }

  std::vector<char> bytes;
  std::vector<float> in;
  std::vector<float> expected;  // [rows, input_rows]

 private:
  static size_t size(int a, int b) { return static_cast<size_t>(a) * static_cast<size_t>(b); }

  void compute(const Shape& shape) {
    const GgmlBackend cpu = cpu_backend_for_test();
    ggml_tensor* const input =
        ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, shape.columns, shape.input_rows);
    ggml_tensor* const product = ggml_mul_mat(context_.get(), weights_, input);
    ggml_cgraph* const graph = ggml_new_graph(context_.get());
    ggml_build_forward_expand(graph, product);
    const std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)> buffer(
        ggml_backend_alloc_ctx_tensors(context_.get(), cpu.get()), ggml_backend_buffer_free);
    ggml_backend_tensor_set(weights_, bytes.data(), 0, bytes.size());
    ggml_backend_tensor_set(input, in.data(), 0, in.size() * sizeof(float));
    ASSERT_EQ(ggml_backend_graph_compute(cpu.get(), graph), GGML_STATUS_SUCCESS);
    expected.resize(size(shape.rows, shape.input_rows));
    ggml_backend_tensor_get(product, expected.data(), 0, expected.size() * sizeof(float));
  }

  std::unique_ptr<ggml_context, decltype(&ggml_free)> context_;
  ggml_tensor* weights_;
  Random random_;
};

class WeightProductTest : public testing::TestWithParam<ggml_type> {
 protected:
  static void SetUpTestSuite() { load_ggml_modules(); }
  void SetUp() override {
    if (!weight_kernels_are_fast()) GTEST_SKIP() << "this machine keeps ggml's kernels";
  }

  // Our product of the case's weights with `rows_in`, which lie `gap` floats apart.
  static std::vector<float> multiply(const Case& from, const std::vector<float>& rows_in,
                                     const Shape& shape, int threads, size_t gap = 0) {
    PackedWeights packed = *packed_weights(from.weights());
    EXPECT_EQ(packed.rows, shape.rows);
    AlignedArray<std::byte> data;
    data.reserve(packed.bytes());
    pack_panels(packed, from.bytes.data(), 0, packed.panels(), data.data());
    packed.data = data.data();

    const auto columns = static_cast<size_t>(shape.columns), rows = static_cast<size_t>(shape.rows);
    std::vector<float> in((columns + gap) * static_cast<size_t>(shape.input_rows), NAN);
    for (size_t r = 0; r < static_cast<size_t>(shape.input_rows); ++r)
      std::copy_n(&rows_in[r * columns], columns, &in[r * (columns + gap)]);
    std::vector<float> out(rows * static_cast<size_t>(shape.input_rows) + 1, -77);
    WeightProduct product;
    product.set_threads(threads);
    const WeightProductOp op{packed, out.data(), rows};
    product.compute({in.data(), columns + gap, shape.columns, shape.input_rows}, {&op, 1});
    EXPECT_EQ(out.back(), -77) << "written past the last row";
    out.pop_back();
    return out;
  }

  static void expect_equal(const Case& from, const std::vector<float>& ours) {
    double most = 0, worst = 0;
    for (const float value : from.expected) most = std::max(most, std::abs(double{value}));
    for (size_t i = 0; i < ours.size(); ++i)
      worst = std::max(worst, std::abs(double{ours[i]} - double{from.expected[i]}));
    EXPECT_LE(worst, 3e-6 * most);
  }
};

TEST_P(WeightProductTest, EqualsGgmlsOverShapes) {
  for (const int columns : {256, 512, 2304})
    for (const int rows : {1, 15, 16, 17, 100})
      for (const int input_rows : {1, 2, 3, 7, 8, 9, 31, 70}) {
        const Shape shape{GetParam(), columns, rows, input_rows};
        const Case from(shape, 3);
        SCOPED_TRACE(testing::Message()
                     << columns << " columns, " << rows << " rows, " << input_rows << " inputs");
        expect_equal(from, multiply(from, from.in, shape, input_rows % 3 + 1));
      }
}

TEST_P(WeightProductTest, ReadsRowsWithGaps) {
  const Shape shape{GetParam(), 512, 40, 11};
  const Case from(shape, 1);
  expect_equal(from, multiply(from, from.in, shape, 2, 48));
}

TEST_P(WeightProductTest, TakesZerosAndHugeValues) {
  const Shape shape{GetParam(), 256, 32, 5};
  for (const float magnitude : {0.0f, 1e-20f, 1e4f}) {
    const Case from(shape, magnitude);
    const std::vector<float> ours = multiply(from, from.in, shape, 1);
    for (const float value : ours) ASSERT_TRUE(std::isfinite(value)) << magnitude;
    expect_equal(from, ours);
  }
}

TEST_P(WeightProductTest, ARowsProductDoesNotDependOnTheRowsBesideIt) {
  const Shape shape{GetParam(), 512, 48, 13};
  const Case from(shape, 2);
  const std::vector<float> together = multiply(from, from.in, shape, 2);
  for (int r = 0; r < shape.input_rows; ++r) {
    const Shape one{shape.type, shape.columns, shape.rows, 1};
    const std::vector<float> in(from.in.begin() + r * shape.columns,
                                from.in.begin() + (r + 1) * shape.columns);
    const std::vector<float> row = multiply(from, in, one, 1);
    for (size_t i = 0; i < row.size(); ++i)
      ASSERT_EQ(row[i], together[static_cast<size_t>(r * shape.rows) + i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, WeightProductTest,
                         testing::Values(GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0,
                                         GGML_TYPE_Q8_0, GGML_TYPE_Q4_K, GGML_TYPE_Q6_K),
                         [](const auto& info) { return std::string(ggml_type_name(info.param)); });

// ---- Floats ------------------------------------------------------------------------------------

class FloatProductTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!weight_kernels_are_fast()) GTEST_SKIP() << "this machine keeps ggml's kernels";
  }

  // Of F32, or of binary16 with the values that it can hold.
  struct FloatCase {
    int columns, rows, input_rows;
    WeightType type = WeightType::kF32;
    std::vector<float> values, in, base;

    FloatCase(int columns, int rows, int input_rows, WeightType type = WeightType::kF32)
        : columns(columns), rows(rows), input_rows(input_rows), type(type) {
      Random random(9);
      values = random_floats(random, place(rows, columns, 0), 1);
      if (type == WeightType::kF16)
        for (float& value : values) value = ggml_fp16_to_fp32(ggml_fp32_to_fp16(value));
      in = random_floats(random, place(input_rows, columns, 0), 2);
      base = random_floats(random, place(input_rows, rows, 0), 5);
    }

    // Of a number in rows of `width`.
    static size_t place(int row, int width, int column) {
      return static_cast<size_t>(row) * static_cast<size_t>(width) + static_cast<size_t>(column);
    }

    double expected(int row, int output) const {
      double sum = 0;
      for (int c = 0; c < columns; ++c)
        sum += double{values[place(output, columns, c)]} * double{in[place(row, columns, c)]};
      return 0.5 * sum + double{base[place(row, rows, output)]};
    }
  };

  // base + 0.5 * product of the rows [first, first + count), written over the base.
  static std::vector<float> multiply(const FloatCase& from, int first, int count, int threads) {
    PackedWeights packed{from.type, from.columns, from.rows};
    AlignedArray<std::byte> data;
    data.reserve(packed.bytes());
    std::vector<uint16_t> halves(from.values.size());
    ggml_fp32_to_fp16_row(from.values.data(), halves.data(), static_cast<int64_t>(halves.size()));
    pack_panels(packed,
                from.type == WeightType::kF16 ? static_cast<const void*>(halves.data())
                                              : from.values.data(),
                0, packed.panels(), data.data());
    packed.data = data.data();
    const auto rows = static_cast<size_t>(from.rows);
    std::vector<float> out(from.base.begin() + first * from.rows,
                           from.base.begin() + (first + count) * from.rows);
    out.push_back(-77);
    WeightProduct product;
    product.set_threads(threads);
    const WeightProductOp op{packed, out.data(), rows, out.data(), rows, 0.5f};
    product.compute({from.in.data() + first * from.columns, static_cast<size_t>(from.columns),
                     from.columns, count},
                    {&op, 1});
    EXPECT_EQ(out.back(), -77) << "written past the last row";
    out.pop_back();
    return out;
  }
};

TEST_F(FloatProductTest, AddsToItsBaseOverShapes) {
  for (const WeightType type : {WeightType::kF32, WeightType::kF16})
    for (const int columns : {1, 4, 16, 577})
      for (const int rows : {1, 16, 50})
        for (const int input_rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 31}) {
          SCOPED_TRACE(testing::Message()
                       << columns << " columns, " << rows << " rows, " << input_rows << " inputs");
          const FloatCase from(columns, rows, input_rows, type);
          const std::vector<float> ours = multiply(from, 0, input_rows, input_rows % 3 + 1);
          for (int r = 0; r < input_rows; ++r)
            for (int o = 0; o < rows; ++o)
              ASSERT_NEAR(ours[static_cast<size_t>(r * rows + o)], from.expected(r, o), 1e-4);
        }
}

TEST_F(FloatProductTest, ARowsProductDoesNotDependOnTheRowsBesideIt) {
  const FloatCase from(577, 50, 13);
  const std::vector<float> together = multiply(from, 0, 13, 2);
  for (int r = 0; r < 13; ++r) {
    const std::vector<float> row = multiply(from, r, 1, 1);
    for (size_t i = 0; i < row.size(); ++i)
      ASSERT_EQ(row[i], together[static_cast<size_t>(r * from.rows) + i]);
  }
}

TEST(PackedWeights, OnlyWholeBlocksOfKnownTypesArePacked) {
  const std::unique_ptr<ggml_context, decltype(&ggml_free)> context(
      ggml_init({.mem_size = 1 << 16, .mem_buffer = nullptr, .no_alloc = true}), ggml_free);
  const auto packs = [&](ggml_type type, int columns, int rows, int matrices) {
    return packed_weights(ggml_new_tensor_3d(context.get(), type, columns, rows, matrices))
        .has_value();
  };
  EXPECT_TRUE(packs(GGML_TYPE_Q4_1, 32, 1, 1));
  EXPECT_TRUE(packs(GGML_TYPE_Q4_K, 256, 3, 1));
  EXPECT_FALSE(packs(GGML_TYPE_Q4_K, 256, 3, 2)) << "a mixture of experts";
  EXPECT_FALSE(packs(GGML_TYPE_F16, 256, 3, 1));
  EXPECT_FALSE(packs(GGML_TYPE_F32, 256, 3, 1));
  EXPECT_FALSE(packs(GGML_TYPE_Q5_K, 256, 3, 1));
}

}  // namespace
}  // namespace polyphon
