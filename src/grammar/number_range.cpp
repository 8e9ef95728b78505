#include "grammar/number_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "grammar/gbnf_text.h"

namespace polyphon {
namespace {

constexpr int kMaxExponent = 400;
constexpr size_t kUsualDigits = 16;
constexpr const char* kMoreDigits = "[0-9]{0,15}";
constexpr const char* kZeros = "\"0\"{0,15}";
constexpr const char* kNotOnlyZeros = "\"0\"{0,15} [1-9] [0-9]{0,15}";

// One more, digit by digit.
std::string incremented(std::string digits) {
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    if (*digit != '9') {
      ++*digit;
      return digits;
    }
    *digit = '0';
  }
  return digits.insert(0, 1, '1');
}

// One less; `digits` is not zero. Keeps the number of digits.
std::string decremented(std::string digits) {
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    if (*digit != '0') {
      --*digit;
      break;
    }
    *digit = '9';
  }
  return digits;
}

std::string without_leading_zeros(std::string digits) {
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  return digits;
}

bool shorter_or_less(const std::string& a, const std::string& b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

std::string digit_class(char first, char last) {
  return first == last ? fmt::format("\"{}\"", first) : fmt::format("[{}-{}]", first, last);
}

std::string any_digits(size_t count) {
  return count == 0 ? "" : count == 1 ? " [0-9]" : fmt::format(" [0-9]{{{}}}", count);
}

// Digit strings of one length from `low` to `high`.
std::string same_length(const std::string& low, const std::string& high) {
  if (low == high) return fmt::format("\"{}\"", low);
  const auto differ = std::mismatch(low.begin(), low.end(), high.begin());
  const auto at = static_cast<size_t>(differ.first - low.begin());
  const std::string prefix = at == 0 ? "" : fmt::format("\"{}\" ", low.substr(0, at));
  const std::string low_rest = low.substr(at + 1), high_rest = high.substr(at + 1);
  const bool from_zeros = low_rest.find_first_not_of('0') == std::string::npos;
  const bool to_nines = high_rest.find_first_not_of('9') == std::string::npos;
  std::vector<std::string> alternatives;
  char first = low[at], last = high[at];
  if (!from_zeros) {
    alternatives.push_back(fmt::format("\"{}\" {}", first++,
                                       same_length(low_rest, std::string(low_rest.size(), '9'))));
  }
  const char last_whole = to_nines ? last : static_cast<char>(last - 1);
  if (first <= last_whole)
    alternatives.push_back(digit_class(first, last_whole) + any_digits(low_rest.size()));
  if (!to_nines)
    alternatives.push_back(
        fmt::format("\"{}\" {}", last, same_length(std::string(high_rest.size(), '0'), high_rest)));
  return prefix + gbnf_choice(alternatives);
}

// Whole numbers without sign or leading zeros.
void add_whole(const std::string& low, const std::optional<std::string>& high,
               std::vector<std::string>& alternatives) {
  if (high && shorter_or_less(*high, low)) return;
  const size_t last_size = high ? high->size() : low.size();
  for (size_t size = low.size(); size <= last_size; ++size) {
    const std::string from = size == low.size() ? low : "1" + std::string(size - 1, '0');
    const std::string to = high && size == high->size() ? *high : std::string(size, '9');
    alternatives.push_back(same_length(from, to));
  }
  if (!high)
    alternatives.push_back(
        fmt::format("[1-9] [0-9]{{{},{}}}", low.size(), std::max(kUsualDigits - 1, low.size())));
}

std::string in_group(const std::string& expression) { return "(" + expression + ")"; }

// What may follow the whole part so that the fraction lies between the bounds: with its point, or
// "()" for nothing. Empty when nothing fits.
std::string fraction_gbnf(const std::string& low, bool above_low,
                          const std::optional<std::string>& high, bool below_high) {
  const size_t size = std::max(low.size(), high ? high->size() : 0);
  if (size == 0) {
    if (!high) return above_low ? fmt::format("\".\" {}", kNotOnlyZeros) : "(\".\" [0-9]{1,16})?";
    return above_low || below_high ? "" : "(\".\" \"0\"{1,16})?";
  }
  const auto padded = [&](const std::string& digits) {
    return digits + std::string(size - digits.size(), '0');
  };
  const std::string from = padded(low);
  const std::string to = high ? padded(*high) : std::string(size, '9');
  std::vector<std::string> alternatives;
  if (high && from == to) {
    if (!above_low && !below_high) alternatives.push_back(fmt::format("\"{}\" {}", from, kZeros));
  } else if (!high || from < to) {
    alternatives.push_back(fmt::format("\"{}\" {}", from, above_low ? kNotOnlyZeros : kMoreDigits));
    const std::string first = incremented(from), last = high ? decremented(to) : to;
    if (first.size() == size && first <= last)
      alternatives.push_back(fmt::format("{} {}", in_group(same_length(first, last)), kMoreDigits));
    if (high && !below_high) alternatives.push_back(fmt::format("\"{}\" {}", to, kZeros));
  }
  if (alternatives.empty()) return low.empty() && !above_low ? "()" : "";
  const std::string digits = fmt::format("\".\" {}", gbnf_choice(alternatives));
  return low.empty() && !above_low ? in_group(digits) + "?" : digits;
}

// Numbers without sign between two of their kind.
void add_magnitudes(const NumberBound& low, const std::optional<NumberBound>& high,
                    std::vector<std::string>& alternatives) {
  const auto add = [&](const std::string& whole, const std::string& fraction) {
    if (!fraction.empty()) alternatives.push_back(whole + " " + fraction);
  };
  const std::string& from = low.value.whole;
  const auto literal = [](const std::string& digits) { return "\"" + digits + "\""; };
  if (high && high->value.whole == from) {
    add(literal(from),
        fraction_gbnf(low.value.fraction, low.exclusive, high->value.fraction, high->exclusive));
    return;
  }
  if (high && shorter_or_less(high->value.whole, from)) return;
  add(literal(from), fraction_gbnf(low.value.fraction, low.exclusive, std::nullopt, false));
  std::vector<std::string> between;
  add_whole(
      incremented(from),
      high ? std::optional(without_leading_zeros(decremented(high->value.whole))) : std::nullopt,
      between);
  if (!between.empty()) add(gbnf_choice(between), fraction_gbnf("", false, std::nullopt, false));
  if (high)
    add(literal(high->value.whole),
        fraction_gbnf("", false, high->value.fraction, high->exclusive));
}

// Splits at zero: `add(low, high, alternatives)` adds what lies between two bounds without sign.
template <typename Add>
std::string signed_range(const std::optional<NumberBound>& low,
                         const std::optional<NumberBound>& high, Add add) {
  const auto magnitude = [](NumberBound bound) {
    bound.value.negative = false;
    return bound;
  };
  const auto below_zero = [](const NumberBound& bound) {
    return bound.value.negative && !bound.value.is_zero();
  };
  std::vector<std::string> alternatives;
  if (!low || below_zero(*low)) {
    const NumberBound least =
        high && below_zero(*high) ? magnitude(*high) : NumberBound{Decimal{}, true};
    std::vector<std::string> negative;
    add(least, low ? std::optional(magnitude(*low)) : std::nullopt, negative);
    if (!negative.empty()) alternatives.push_back("\"-\" " + gbnf_choice(negative));
  }
  if (!high || !below_zero(*high)) {
    const NumberBound least = low && !below_zero(*low) ? magnitude(*low) : NumberBound{};
    add(least, high ? std::optional(magnitude(*high)) : std::nullopt, alternatives);
  }
  return alternatives.empty() ? "" : gbnf_choice(alternatives);
}

}  // namespace

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal result;
  result.negative = text.starts_with('-');
  if (result.negative) text.remove_prefix(1);
  const size_t mark = text.find_first_of("eE");
  int exponent = 0;
  if (mark != std::string_view::npos) {
    std::string_view digits = text.substr(mark + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    text = text.substr(0, mark);
  }
  const size_t point = text.find('.');
  std::string whole(text.substr(0, point));
  std::string fraction(point == std::string_view::npos ? "" : text.substr(point + 1));
  const auto digits_only = [](const std::string& digits) {
    return digits.find_first_not_of("0123456789") == std::string::npos;
  };
  if (whole.empty() || !digits_only(whole) || !digits_only(fraction) ||
      std::abs(exponent) > kMaxExponent)
    return std::nullopt;
  for (; exponent > 0; --exponent) {
    whole += fraction.empty() ? '0' : fraction.front();
    if (!fraction.empty()) fraction.erase(0, 1);
  }
  for (; exponent < 0; ++exponent) {
    fraction.insert(fraction.begin(), whole.empty() ? '0' : whole.back());
    if (!whole.empty()) whole.pop_back();
  }
  result.whole = whole.empty() ? "0" : without_leading_zeros(whole);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  result.fraction = fraction;
  return result;
}

bool less(const Decimal& a, const Decimal& b) {
  const bool a_negative = a.negative && !a.is_zero(), b_negative = b.negative && !b.is_zero();
  if (a_negative != b_negative) return a_negative;
  const Decimal &low = a_negative ? b : a, &high = a_negative ? a : b;
  if (low.whole != high.whole) return shorter_or_less(low.whole, high.whole);
  return low.fraction < high.fraction;
}

std::string integer_range_gbnf(const std::optional<NumberBound>& low,
                               const std::optional<NumberBound>& high) {
  return signed_range(low, high,
                      [](const NumberBound& least, const std::optional<NumberBound>& most,
                         std::vector<std::string>& alternatives) {
                        const bool next = least.exclusive || !least.value.fraction.empty();
                        std::optional<std::string> last;
                        if (most) {
                          last = most->value.whole;
                          if (most->exclusive && most->value.fraction.empty()) {
                            if (*last == "0") return;
                            last = without_leading_zeros(decremented(*last));
                          }
                        }
                        add_whole(next ? incremented(least.value.whole) : least.value.whole, last,
                                  alternatives);
                      });
}

std::string number_range_gbnf(const std::optional<NumberBound>& low,
                              const std::optional<NumberBound>& high) {
  return signed_range(low, high, add_magnitudes);
}

}  // namespace polyphon
