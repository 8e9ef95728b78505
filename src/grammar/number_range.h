// GBNF for the JSON numbers between two bounds. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace polyphon {

// A number as its digits: exact, of any size.
struct Decimal {
  bool negative = false;
  std::string whole = "0";  // no leading zeros but "0" itself
  std::string fraction;     // no trailing zeros

  bool is_zero() const { return whole == "0" && fraction.empty(); }
};
// A JSON number; an exponent is written out. None: not a number, or beyond 1e400.
std::optional<Decimal> parse_decimal(std::string_view text);
bool less(const Decimal& a, const Decimal& b);

struct NumberBound {
  Decimal value;
  bool exclusive = false;
};

// Both return an expression of GBNF, or "" where no number lies between the bounds. Numbers are
// written without an exponent; without an upper bound they have at most 16 digits, or as many as
// the lower bound. A number beside a bound with a fraction has at least as many decimals as it.
std::string integer_range_gbnf(const std::optional<NumberBound>& low,
                               const std::optional<NumberBound>& high);
std::string number_range_gbnf(const std::optional<NumberBound>& low,
                              const std::optional<NumberBound>& high);

}  // namespace polyphon
