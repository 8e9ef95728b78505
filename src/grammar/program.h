// A grammar compiled to a small machine that reads bytes: what grammar/matcher.h runs. Immutable
// after it is made; shared by all sequences that are bound by the same grammar.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <vector>

#include "grammar/gbnf.h"

namespace polyphon {

using ByteSet = std::bitset<256>;

// A place in the program.
using Place = uint32_t;

struct Instruction {
  enum class Op : uint8_t {
    kReturn,    // the rule or the body of a repetition is over
    kBytes,     // one byte of byte_sets[a], then next
    kSplit,     // any of targets[a .. b)
    kCall,      // rules[a], then next
    kRepeat,    // the body at a, as often as repeats[b] says, then next
    kToken,     // the token a, then next
    kNotToken,  // any token but a, then next
  };
  Op op = Op::kReturn;
  uint32_t a = 0;
  uint32_t b = 0;
  Place next = 0;
};

struct GrammarProgram {
  struct Rule {
    Place entry = 0;
    bool nullable = false;  // may be read as nothing
  };
  struct Repeat {
    uint32_t least = 0;  // 0 where the body itself may be read as nothing
    uint32_t most = kUnbounded;
    bool nullable_body = false;
  };
  // The only kReturn.
  static constexpr Place kReturnPlace = 0;

  std::vector<Instruction> code;
  std::vector<ByteSet> byte_sets;
  std::vector<Place> targets;
  std::vector<Rule> rules;
  std::vector<Repeat> repeats;
  uint32_t root = 0;  // index in rules
  bool has_tokens = false;
};

// Takes time and memory in proportion to the grammar's text. Throws Error{kInvalidArgument, field
// "grammar"}: the program would be larger than 4 million instructions, or a rule begins with
// itself (left recursion, which a matcher that reads from left to right cannot follow).
GrammarProgram compile_grammar(const GrammarSyntax& syntax);

}  // namespace polyphon
