// How alike two texts are by the words they share: the cosine of their tf-idf vectors (Salton and
// Buckley 1988; every word counted once). Works before anything is trained. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace polyphon {

using Terms = std::set<std::string>;

// Lower-case words and numbers without a few words that say nothing and without a plural's s.
// Bytes beyond ASCII belong to words as they are.
Terms terms_of(std::string_view text);

// In how many of some texts each word stands.
class TermStatistics {
 public:
  void add(const Terms& terms);
  // In [0, 1]; 0 when either has no words.
  double similarity(const Terms& a, const Terms& b) const;

 private:
  double weight(const std::string& term) const;  // log(1 + texts / (1 + texts with it))

  std::map<std::string, int> texts_with_;
  int texts_ = 0;
};

}  // namespace polyphon
