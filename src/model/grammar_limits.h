// Bounds on what a client may ask llama.cpp to parse: its readers of grammars and schemas recurse,
// and a stack that overflows takes the server down; its matcher tries every reading. Pure
// functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/trace.h"

namespace polyphon {

inline constexpr size_t kMaxGrammarBytes = 1 << 20;
inline constexpr int kMaxGrammarRules = 10000;
inline constexpr int kMaxGrammarNesting = 200;     // of parentheses
inline constexpr int kMaxGrammarOptionalRun = 16;  // model/grammar_ambiguity.h
inline constexpr int kMaxJsonNesting = 100;

// Throws Error{kInvalidArgument, field "grammar"} with the figures.
void check_grammar_limits(std::string_view gbnf);

// Throws Error{kInvalidArgument} with `field`.
void check_json_nesting(const Json& json, const std::string& field);

}  // namespace polyphon
