#include "text/similarity.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "base/check.h"

namespace polyphon {
namespace {

std::set<Tokens> ngrams(std::span<const Token> tokens, size_t n) {
  std::set<Tokens> result;
  if (n == 0) return result;
  for (size_t i = 0; i + n <= tokens.size(); ++i)
    result.emplace(tokens.begin() + static_cast<long>(i),
                   tokens.begin() + static_cast<long>(i + n));
  return result;
}

}  // namespace

double ngram_overlap(std::span<const Token> a, std::span<const Token> b, int n) {
  POLYPHON_CHECK(n >= 0);
  const auto in_a = ngrams(a, static_cast<size_t>(n)), in_b = ngrams(b, static_cast<size_t>(n));
  if (in_a.empty() || in_b.empty()) return 0;
  const auto shared = static_cast<double>(std::count_if(
      in_a.begin(), in_a.end(), [&](const Tokens& gram) { return in_b.contains(gram); }));
  return shared / (static_cast<double>(in_a.size() + in_b.size()) - shared);
}

double cosine(std::span<const float> a, std::span<const float> b) {
  POLYPHON_CHECK(a.size() == b.size());
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return aa > 0 && bb > 0 ? dot / std::sqrt(aa * bb) : 0;
}

}  // namespace polyphon
