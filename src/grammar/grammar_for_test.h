// Reads texts with a grammar, for tests.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/random.h"
#include "grammar/gbnf.h"
#include "grammar/matcher.h"

namespace polyphon {

inline std::shared_ptr<const GrammarProgram> compile_for_test(std::string_view gbnf) {
  const TokenByName token = [](std::string_view text) -> std::optional<Token> {
    return text == "<one>" ? std::optional<Token>(1) : std::nullopt;
  };
  return std::make_shared<const GrammarProgram>(compile_grammar(parse_gbnf(gbnf, token)));
}

class TextReader {
 public:
  explicit TextReader(std::string_view gbnf) : matcher_(compile_for_test(gbnf)) {}

  bool reads(std::string_view text) {
    Matcher::State state = matcher_.start();
    for (const char c : text) {
      state = matcher_.after(matcher_.renew_budget(state), static_cast<uint8_t>(c));
      if (state == Matcher::kDead) return false;
    }
    return matcher_.accepts(state);
  }

  // A text that the grammar reads, made of ASCII; empty with `ok` false when it went on too long.
  std::string random_text(uint64_t seed, bool& ok, int longest = 2000) {
    Random random(seed);
    std::string text;
    Matcher::State state = matcher_.start();
    for (int i = 0; i < longest; ++i) {
      state = matcher_.renew_budget(state);
      std::string next;
      for (int byte = 1; byte < 128; ++byte)
        if (matcher_.after(state, static_cast<uint8_t>(byte)) != Matcher::kDead)
          next += static_cast<char>(byte);
      const bool may_end = matcher_.accepts(state);
      if (next.empty() || (may_end && random.uniform() < 0.3)) {
        ok = may_end;
        return text;
      }
      // Closing characters are preferred, so that texts end.
      const size_t close = next.find_first_of("\"}]");
      const char c =
          close != std::string::npos && random.uniform() < 0.2
              ? next[close]
              : next[static_cast<size_t>(random.uniform() * static_cast<double>(next.size()))];
      text += c;
      state = matcher_.after(state, static_cast<uint8_t>(c));
    }
    ok = false;
    return text;
  }

 private:
  Matcher matcher_;
};

}  // namespace polyphon
