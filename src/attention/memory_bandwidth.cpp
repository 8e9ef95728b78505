#include "attention/memory_bandwidth.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#ifdef _OPENMP  // not under a sanitizer
#include <omp.h>
#endif

namespace polyphon {

double read_bandwidth(int threads) {
  constexpr size_t kWords = size_t{1} << 26;  // 512 MiB
  const std::vector<uint64_t> buffer(kWords, 1);
  double best = 0;
  volatile uint64_t keep = 0;
#ifdef _OPENMP
  if (threads == 0) threads = omp_get_num_procs();
#endif
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    uint64_t sum = 0;
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) reduction(+ : sum)
#endif
    for (size_t word = 0; word < kWords; ++word) sum += buffer[word];
    keep = keep + sum;
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    best = std::max(best, kWords * sizeof(uint64_t) / taken.count());
  }
  return best;
}

}  // namespace polyphon
