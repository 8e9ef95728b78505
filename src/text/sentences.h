// English prose cut into sentences, as well as the extraction of answers needs it: a number's point
// and a list's "1." end nothing. Abbreviations are not known.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace polyphon {

// Without the white space at both ends.
std::string_view trim(std::string_view text);

// Index of the newline or mark that ends the sentence which holds text[from], or text.size().
size_t sentence_end(std::string_view text, size_t from);

// In order, trimmed, with their closing marks and without list markers; none is empty. Views into
// `text`.
std::vector<std::string_view> sentences(std::string_view text);

}  // namespace polyphon
