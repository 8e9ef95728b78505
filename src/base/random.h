// Counter-free, seedable random numbers whose values are fixed by this file, not by the standard
// library, so that a recorded session replays on any machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace polyphon {

// SplitMix64 (Steele, Lea, Flood 2014). Also used to derive independent seeds.
constexpr uint64_t mix_bits(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// The seed of part `index` of something seeded with `seed`. core/seeds.h says who uses which index.
constexpr uint64_t derive_seed(uint64_t seed, uint64_t index) {
  return mix_bits(seed ^ mix_bits(index + 1));
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    const uint64_t value = mix_bits(state_);
    state_ += 0x9e3779b97f4a7c15u;
    return value;
  }

  // Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

// Fisher and Yates.
template <typename T>
void shuffle(Random& random, std::vector<T>& values) {
  for (size_t i = values.size(); i > 1; --i)
    std::swap(values[i - 1],
              values[static_cast<size_t>(random.uniform() * static_cast<double>(i))]);
}

}  // namespace polyphon
