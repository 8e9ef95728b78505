// Reads the final answer out of what a model wrote: small models state it in many ways.
#pragma once

#include <string>
#include <string_view>

namespace polyphon {

// The answer as written, empty if none can be found. Looked for in this order: the last \boxed{},
// "#### X", "answer is X" or "answer: X", and then, in the last sentence that has one, what follows
// the last '=', or the last number.
std::string extract_answer(std::string_view text);

// The form in which answers are compared: lower case, "1,000" is 1000, "3.0" is 3, no currency,
// per cent, quotes or closing punctuation.
std::string normalise_answer(std::string_view answer);

// The end of the text that states its result: the last paragraph, cut to its last sentences, at
// most about 400 characters. Empty only for blank text.
std::string conclusion_of(std::string_view text);

}  // namespace polyphon
