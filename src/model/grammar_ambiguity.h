// Finds grammars that llama.cpp's matcher cannot follow in reasonable time. It tries every way a
// token's text can be read, one after the other: where many optional elements stand in a row, as in
// ("a"? "b"?){100}, their number grows exponentially with the token's length. Pure; any thread.
#pragma once

#include <string_view>

namespace polyphon {

// Elements in a row that may each be left out, counted over rules and repetitions, at most `most`
// (where counting stops). x? and x{0,n} count one; x{n} counts n where x itself may be empty. What
// does not parse counts nothing: the parser will say so.
int longest_optional_run(std::string_view gbnf, int most);

}  // namespace polyphon
