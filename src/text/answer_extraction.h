// Reads the final answer out of what a model wrote: small models state it in many ways.
#pragma once

#include <string>
#include <string_view>

namespace polyphon {

// The answer as written, empty if none can be found. Looked for in this order: the last \boxed{};
// the last "answer is X", "answer: X", "correct option is X" or "#### X"; then, in the last
// sentence that has one of them: "Yes, ..." or "Therefore, no.", a choice "(B)", the number after
// the last '=', the last number.
std::string extract_answer(std::string_view text);

// Only an answer that is stated as one: the first two of these forms. Empty otherwise.
std::string explicit_answer(std::string_view text);

// The form in which answers are compared: lower case; "1,000" is 1000, "3.0" is 3, "12 apples" is
// 12, "x = 5" is 5, "(B)" is b, "\frac{1}{2}" is 1/2; no currency, per cent, quotes, article or
// closing punctuation.
std::string normalise_answer(std::string_view answer);

// The part that states the result: the sentence that gives the text's answer (or, when there is
// none, the last one) to the end, with what stands before it in its paragraph as long as all is at
// most 400 bytes. Whole characters. Empty only for blank text.
std::string conclusion_of(std::string_view text);

}  // namespace polyphon
