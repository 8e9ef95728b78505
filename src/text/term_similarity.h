// How similar two texts are by their words: the cosine of their tf-idf vectors (Salton and Buckley
// 1988), where each word counts once per text. Needs no training. Pure; not thread-safe.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace polyphon {

using Terms = std::set<std::string>;

// The words and numbers of a text in lower case, without stop words and without a plural's s. Bytes
// beyond ASCII count as letters.
Terms terms_of(std::string_view text);

// Counts in how many of the added texts each word occurs.
class TermStatistics {
 public:
  void add(const Terms& terms);
  // Cosine in [0, 1]; 0 if one of the sets is empty.
  double similarity(const Terms& a, const Terms& b) const;

 private:
  double weight(const std::string& term) const;  // log(1 + texts / (1 + texts that contain it))

  std::map<std::string, int> texts_with_;
  int texts_ = 0;
};

}  // namespace polyphon
