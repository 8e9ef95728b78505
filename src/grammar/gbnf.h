// Reads GBNF, llama.cpp's notation of grammars, into rules. Pure; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/token.h"
#include "grammar/code_points.h"

namespace polyphon {

inline constexpr uint32_t kUnbounded = std::numeric_limits<uint32_t>::max();

struct GrammarElement {
  enum class Kind { kLiteral, kClass, kRule, kGroup, kToken, kNotToken };
  Kind kind = Kind::kLiteral;
  std::string literal;     // kLiteral: UTF-8
  CodePointSet points;     // kClass
  uint32_t rule = 0;       // kRule and kGroup: index in GrammarSyntax::rules
  Token token = kNoToken;  // kToken and kNotToken
  uint32_t least = 1;      // repetitions
  uint32_t most = 1;       // kUnbounded: no limit
};

using GrammarSequence = std::vector<GrammarElement>;

struct GrammarRule {
  std::string name;  // empty: a group in parentheses, used in one place
  bool defined = false;
  std::vector<GrammarSequence> alternatives;
};

struct GrammarSyntax {
  std::vector<GrammarRule> rules;
  uint32_t root = 0;
};

inline constexpr size_t kMaxGrammarBytes = 16 << 20;
inline constexpr int kMaxGrammarNesting = 200;          // of parentheses
inline constexpr uint32_t kMaxRepetitions = 1'000'000;  // of what must come that often

// The token that a text such as "<think>" is; none if the vocabulary has no such token.
using TokenByName = std::function<std::optional<Token>(std::string_view)>;

// Throws Error{kInvalidArgument, field "grammar"} that names line and column: text that is no GBNF,
// a rule that is used but not defined, no rule "root", {m,n} with m above n, a limit above.
GrammarSyntax parse_gbnf(std::string_view text, const TokenByName& token_by_name);

}  // namespace polyphon
