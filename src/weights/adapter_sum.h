// What libllama's graphs hold for an adapter beside a product of weights: four nodes that make
// weights * in + scale * (b * (a * in)). The two products are takes_product()'s. Here are the
// factor and the sum, which are next to nothing to compute but would hand every one of them to
// another backend and back. Pure; any thread.
#pragma once

#include <ggml.h>

#include <optional>

#include "weights/weight_product.h"

namespace polyphon {

// Whether the node is such a factor (SCALE) or sum (ADD).
bool takes_adapter_node(const ggml_tensor* node);

// Computes one of them.
void compute_adapter_node(const ggml_tensor* node);

// The product, factor and sum of one adapter as one operation on the product's input; none if they
// are not that, or if what lies between them is asked for.
std::optional<WeightProductOp> adapter_sum(const ggml_tensor* product, const ggml_tensor* factor,
                                           const ggml_tensor* sum);

}  // namespace polyphon
