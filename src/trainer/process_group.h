// The processes of one run and what they tell each other, by libtorch's c10d: over NCCL between
// GPUs where it was built with that, else over Gloo. All of them call the same functions in the
// same order; each blocks until the others have. Alone, every function returns at once what it was
// given.
//
// Throws Error{kUnavailable} when another process has ended or does not answer in time.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tensors/torch.h"
#include "trainer/process_place.h"

namespace polyphon {

class ProcessGroup {
 public:
  // Rank 0 listens at the place's address, the others connect to it. On a loopback address nothing
  // outside the machine can connect.
  // `device`: of the tensors.
  ProcessGroup(const ProcessPlace& place, std::chrono::milliseconds timeout,
               const torch::Device& device = torch::kCPU);
  ~ProcessGroup();

  const ProcessPlace& place() const { return place_; }

  // The sums over all processes, in place and to the same bit in each.
  void sum(const std::vector<torch::Tensor>& tensors) const;
  double sum(double value) const;
  // What rank 0 has.
  void share(const std::vector<torch::Tensor>& tensors) const;
  std::string share(const std::string& text) const;

 private:
  struct Backend;
  const ProcessPlace place_;
  std::unique_ptr<Backend> backend_;  // null when alone
};

}  // namespace polyphon
