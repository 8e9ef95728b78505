// Cuts English text into sentences, well enough to extract answers: the point of a number and the
// "1." of a list end no sentence. Abbreviations are not recognised. Pure functions.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace polyphon {

// The text without white space at both ends.
std::string_view trim(std::string_view text);

// Index of the newline or punctuation mark that ends the sentence around text[from]; text.size() if
// there is none.
size_t sentence_end(std::string_view text, size_t from);

// The sentences in order, as views into `text`: trimmed, with closing marks, without list markers,
// never empty.
std::vector<std::string_view> sentences(std::string_view text);

}  // namespace polyphon
