// Packed weights as a buffer type of ggml: a weight that is loaded into it is packed on the way.
// Its tensors are for our products alone; ggml's own kernels cannot read them.
#pragma once

#include <ggml-backend-impl.h>
#include <ggml.h>

#include <optional>

#include "simd/packed_weights.h"

namespace polyphon {

// The one of this process. Its device is for whoever registers one to set.
ggml_backend_buffer_type_t weight_buffer_type();

// How a tensor is packed, were it in such a buffer; none for types and shapes that we do not pack.
// Floats are packed if they are an adapter's, by the names that libllama gives them. With the data
// of a tensor that is there.
std::optional<PackedWeights> packed_weights(const ggml_tensor* tensor);

// Whether the node is a product that WeightProduct computes: packed weights, rows of floats.
bool takes_product(const ggml_tensor* node);

}  // namespace polyphon
