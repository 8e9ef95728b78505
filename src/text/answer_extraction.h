// Finds the final answer in a model's text. Small models state answers in many ways, so several
// forms are tried. Pure functions on plain text; nothing here checks whether the answer is right.
#pragma once

#include <string>
#include <string_view>

namespace polyphon {

// The answer as the text spells it; empty if none is found. Tried in this order: 1. the last
// \boxed{}; 2. the last "answer is X", "answer: X", "correct option is X" or "#### X"; 3. in the
// last sentence that has one of these: "Yes, ..." or "Therefore, no.", a choice "(B)", the number
// after the last '=', the last number.
std::string extract_answer(std::string_view text);

// The answer only if it is stated as one (forms 1 and 2 of extract_answer); empty otherwise.
std::string explicit_answer(std::string_view text);

// The normal form in which answers are compared: lower case, without currency, per cent, quotes,
// article or closing punctuation. "1,000" becomes 1000, "3.0" 3, "12 apples" 12, "x = 5" 5, "(B)"
// b, "\frac{1}{2}" 1/2.
std::string normalise_answer(std::string_view answer);

// The part of the text that states the result, at most 400 bytes, cut between UTF-8 characters. It
// runs from the sentence with the answer (or from the last sentence, if there is no answer) to the
// end, and includes earlier sentences of the same paragraph if they fit. Empty only for blank text.
std::string conclusion_of(std::string_view text);

}  // namespace polyphon
