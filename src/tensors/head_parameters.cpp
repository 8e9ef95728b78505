#include "tensors/head_parameters.h"

#include <algorithm>

namespace polyphon {

using torch::Tensor;

Tensor trained_copy(const Tensor& values) {
  return values.defined() ? values.detach().clone().set_requires_grad(true) : values;
}

Tensor decay_between(const NamedParameters& now, const NamedParameters& then,
                     std::initializer_list<std::string_view> plain, const HeadDecay& decay) {
  Tensor loss = torch::zeros({}, now.front().second.scalar_type());
  for (size_t i = 0; i < now.size(); ++i) {
    const bool is_plain = std::find(plain.begin(), plain.end(), now[i].first) != plain.end();
    loss = loss + (now[i].second - then[i].second.detach()).square().sum() *
                      ((is_plain ? decay.features : decay.hidden) / 2);
  }
  return loss;
}

Tensor state_is_there(const Tensor& states) { return states.ne(0).any(-1); }

Tensor scale_of(const Tensor& states) {
  const Tensor mean_square =
      states.square().sum(0) / state_is_there(states).sum().clamp_min(1).to(states.scalar_type());
  return torch::where(mean_square.gt(0), mean_square.clamp_min(1e-12).rsqrt(),
                      torch::zeros_like(mean_square, torch::TensorOptions()));
}

}  // namespace polyphon
