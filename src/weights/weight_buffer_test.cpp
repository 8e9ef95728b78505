#include "weights/weight_buffer.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace polyphon {
namespace {

// What libllama does with an adapter of weights that lie in our buffer, if we cannot pack it.
TEST(WeightBuffer, OtherFloatsLieInAPlainBuffer) {
  const std::unique_ptr<ggml_context, decltype(&ggml_free)> context(
      ggml_init({.mem_size = 1 << 16, .mem_buffer = nullptr, .no_alloc = true}), ggml_free);
  ggml_tensor* const a = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 32, 4);
  ggml_tensor* const b = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 4, 32);
  const std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)> buffer(
      ggml_backend_alloc_ctx_tensors_from_buft(context.get(), weight_buffer_type()),
      ggml_backend_buffer_free);
  ASSERT_TRUE(buffer);
  EXPECT_TRUE(ggml_backend_buffer_is_host(buffer.get()));
  std::vector<float> values(128), read(128);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  for (ggml_tensor* tensor : {a, b}) {
    ggml_backend_tensor_set(tensor, values.data(), 0, ggml_nbytes(tensor));
    ggml_backend_tensor_get(tensor, read.data(), 0, ggml_nbytes(tensor));
    EXPECT_EQ(read, values);
  }
}

TEST(WeightBuffer, WeightsAndAdaptersThatArePackedLieInOurs) {
  const std::unique_ptr<ggml_context, decltype(&ggml_free)> context(
      ggml_init({.mem_size = 1 << 16, .mem_buffer = nullptr, .no_alloc = true}), ggml_free);
  ggml_new_tensor_2d(context.get(), GGML_TYPE_Q4_1, 32, 4);
  ggml_set_name(ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 32, 4),
                "blk.0.attn_q.weight.lora_a");
  ggml_set_name(ggml_new_tensor_2d(context.get(), GGML_TYPE_F16, 4, 32),
                "blk.0.attn_q.weight.lora_b");
  const std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)> buffer(
      ggml_backend_alloc_ctx_tensors_from_buft(context.get(), weight_buffer_type()),
      ggml_backend_buffer_free);
  ASSERT_TRUE(buffer);
  EXPECT_EQ(ggml_backend_buffer_get_type(buffer.get()), weight_buffer_type());
}

}  // namespace
}  // namespace polyphon
