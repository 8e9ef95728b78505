#include "model/grammar_limits.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "model/grammar_ambiguity.h"

namespace polyphon {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, message, "grammar");
}

// The end of a literal or character class that begins at `begin`: past its closing character.
size_t skip_quoted(std::string_view gbnf, size_t begin, char close) {
  size_t i = begin + 1;
  while (i < gbnf.size() && gbnf[i] != close) i += gbnf[i] == '\\' ? 2 : 1;
  return i + 1;
}

bool nests_deeper(const Json& json, int levels) {
  if (!json.is_structured()) return false;
  if (levels == 0) return true;
  return std::any_of(json.begin(), json.end(),
                     [&](const Json& part) { return nests_deeper(part, levels - 1); });
}

}  // namespace

void check_grammar_limits(std::string_view gbnf) {
  if (gbnf.size() > kMaxGrammarBytes)
    refuse(fmt::format("the grammar has {} bytes: at most {}", gbnf.size(), kMaxGrammarBytes));
  int rules = 0, nesting = 0;
  for (size_t i = 0; i < gbnf.size();) {
    switch (gbnf[i]) {
      case '"':
        i = skip_quoted(gbnf, i, '"');
        continue;
      case '[':
        i = skip_quoted(gbnf, i, ']');
        continue;
      case '#':
        i = std::min(gbnf.find('\n', i), gbnf.size());
        continue;
      case '(':
        ++nesting;
        break;
      case ')':
        --nesting;
        break;
      case '=':
        rules += gbnf.substr(0, i).ends_with("::");
        break;
      default:
        break;
    }
    if (nesting > kMaxGrammarNesting)
      refuse(fmt::format("the grammar nests deeper than {} parentheses", kMaxGrammarNesting));
    if (rules > kMaxGrammarRules)
      refuse(fmt::format("the grammar has more than {} rules", kMaxGrammarRules));
    ++i;
  }
  if (longest_optional_run(gbnf, kMaxGrammarOptionalRun + 1) > kMaxGrammarOptionalRun)
    refuse(
        fmt::format("the grammar has more than {} elements in a row that may each be left out "
                    "(repeat what cannot be empty instead: (x){{0,n}} for (x?){{n}})",
                    kMaxGrammarOptionalRun));
}

void check_json_nesting(const Json& json, const std::string& field) {
  if (nests_deeper(json, kMaxJsonNesting))
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} nests deeper than {} levels", field, kMaxJsonNesting), field);
}

}  // namespace polyphon
