#include "text/answer_extraction.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <vector>

#include "base/ascii.h"
#include "base/utf8.h"
#include "text/sentences.h"

namespace polyphon {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

// Removes Markdown's bold marks. Keeps a power such as 2**3.
std::string without_bold(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool stars = text.substr(i, 2) == "**";
    const bool power =
        stars && i > 0 && is_alnum(text[i - 1]) && i + 2 < text.size() && is_alnum(text[i + 2]);
    if (stars && !power)
      ++i;
    else
      result += text[i];
  }
  return result;
}

int count_words(std::string_view text) {
  int words = 0;
  for (size_t i = 0; i < text.size(); ++i)
    words += !is_space(text[i]) && (i == 0 || is_space(text[i - 1]));
  return words;
}

// The content of the last closed \boxed{}; braces inside are counted.
std::optional<std::string> boxed(std::string_view text) {
  constexpr std::string_view kOpen = "\\boxed{";
  for (size_t at = text.rfind(kOpen); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : text.rfind(kOpen, at - 1)) {
    int depth = 1;
    for (size_t i = at + kOpen.size(); i < text.size(); ++i) {
      if (text[i] == '{') ++depth;
      if (text[i] != '}' || --depth > 0) continue;
      const std::string_view content = trim(text.substr(at + kOpen.size(), i - at - kOpen.size()));
      if (!content.empty()) return std::string(content);
      break;
    }
  }
  return std::nullopt;
}

// Length of the number at the beginning of `text`, including sign, currency, separators and per
// cent; 0 if there is none.
size_t leading_number(std::string_view text) {
  size_t end = 0;
  while (end < text.size() && (text[end] == '-' || text[end] == '+' || text[end] == '$')) ++end;
  for (std::string_view currency : {"€", "£", "¥"})
    if (text.substr(end).starts_with(currency)) end += currency.size();
  const size_t digits = end;
  while (end < text.size()) {
    const bool separator =
        (text[end] == '.' || text[end] == ',' || text[end] == '/' || text[end] == ':') &&
        end + 1 < text.size() && is_digit(text[end + 1]);
    if (!is_digit(text[end]) && !separator) break;
    ++end;
  }
  if (end == digits) return 0;
  return end < text.size() && text[end] == '%' ? end + 1 : end;
}

// The last number of the text, as leading_number() reads it.
std::optional<std::string> last_number(std::string_view text) {
  size_t end = text.size();
  while (end > 0 && !is_digit(text[end - 1])) --end;
  if (end == 0) return std::nullopt;
  size_t begin = end;
  while (begin > 0) {
    const char c = text[begin - 1];
    const bool separator =
        (c == '.' || c == ',' || c == '/' || c == ':') && begin > 1 && is_digit(text[begin - 2]);
    if (!is_digit(c) && !separator) break;
    --begin;
  }
  const bool part = begin > 0 && (text[begin - 1] == '^' || is_letter(text[begin - 1]));
  if (part) return last_number(text.substr(0, begin - 1));  // "cm^2", "H2O"
  // "7-5" is a difference, "x = -5" has a sign.
  const bool sign =
      begin > 0 && text[begin - 1] == '-' &&
      (begin == 1 || std::string_view(" \n(=$").find(text[begin - 2]) != std::string_view::npos);
  if (sign) --begin;
  return std::string(text.substr(begin, end - begin));
}

// The letter of a choice at the beginning of the text: "(B)", "B)", "B." or "B" alone.
std::optional<std::string> leading_choice(std::string_view text) {
  const bool open = text.starts_with('(');
  if (open) text.remove_prefix(1);
  if (text.empty() || text[0] < 'A' || text[0] > 'E') return std::nullopt;
  const std::string_view after = text.substr(1);
  const bool closed = after.starts_with(')');
  const bool alone = after.empty() || (after.size() == 1 && !is_alnum(after[0])) ||
                     after.starts_with(". ") || after.starts_with(": ") || after.starts_with(", ");
  if (open ? !closed : !(closed || alone)) return std::nullopt;
  return std::string(text.substr(0, 1));
}

// The last "(B)" that is not a function's argument.
std::optional<std::string> last_choice(std::string_view text) {
  for (size_t i = text.size(); i-- > 0;)
    if (text[i] == '(' && (i == 0 || !is_alnum(text[i - 1])))
      if (auto choice = leading_choice(text.substr(i))) return choice;
  return std::nullopt;
}

// Yes, no, true or false at the beginning of the text, as in "Yes, ..." or "No."; but not in "no
// apples are left".
std::optional<std::string> leading_yes_no(std::string_view text) {
  const std::string folded = lower(text.substr(0, 6));
  for (std::string_view word : {"yes", "no", "true", "false"}) {
    if (!folded.starts_with(word)) continue;
    const std::string_view after = text.substr(word.size());
    if (after.empty() || std::string_view(",.;:!*\n").find(after[0]) != std::string_view::npos)
      return std::string(text.substr(0, word.size()));
  }
  return std::nullopt;
}

// Removes surrounding marks: "$12$", "\(12\)", quotes and backticks.
std::string_view inside_marks(std::string_view text) {
  static constexpr std::array<std::array<std::string_view, 2>, 5> kMarks = {
      {{"\\(", "\\)"}, {"$", "$"}, {"\"", "\""}, {"`", "`"}, {"“", "”"}}};
  for (const auto& [open, close] : kMarks) {
    if (!text.starts_with(open)) continue;
    const size_t end = text.find(close, open.size());
    const bool prices = open == "$" && end != std::string_view::npos &&
                        text.substr(0, end).find(' ') != std::string_view::npos &&
                        text.find_first_of("=+\\^") > end;
    if (end != std::string_view::npos && end > open.size() && !prices)
      return trim(text.substr(open.size(), end - open.size()));
  }
  return text;
}

// Whether a number is continued by a formula: "x + 3", " * (2 + y)", "^2"; but not " apples - or
// so".
bool is_formula(std::string_view rest) {
  if (!rest.empty() && is_letter(rest[0])) rest.remove_prefix(1);
  rest = trim(rest);
  if (rest.empty() || std::string_view("+-*/^\\").find(rest[0]) == std::string_view::npos)
    return false;
  const std::string_view right = trim(rest.substr(1));
  const bool word = right.size() > 1 && is_letter(right[0]) && is_letter(right[1]);
  return !right.empty() && (rest[0] == '\\' || !word);
}

// The answer in the rest of a sentence after "answer is", without explanations around it.
std::optional<std::string> stated(std::string_view text) {
  for (std::string_view filler : {"therefore ", "indeed ", "approximately ", "about ", "simply ",
                                  "that ", "it is ", "option ", "choice "})
    if (lower(text.substr(0, filler.size())) == filler) text.remove_prefix(filler.size());
  text = inside_marks(text);
  if (auto choice = leading_choice(text)) return choice;
  if (auto word = leading_yes_no(text)) return word;
  const std::string folded = lower(text);
  if (folded.starts_with("not ")) return std::nullopt;
  size_t end = text.size();
  for (std::string_view reason : {" because", " since ", " as ", ", "})
    if (!text.starts_with('(')) end = std::min(end, folded.find(reason));
  text = text.substr(0, end);
  while (!text.empty() && (is_space(text.back()) || text.back() == '*' || text.back() == '.'))
    text.remove_suffix(1);
  if (const size_t equals = text.rfind('='); equals != std::string_view::npos)
    if (const std::string_view right = trim(text.substr(equals + 1)); !right.empty()) text = right;
  text = inside_marks(text);
  if (text.empty()) return std::nullopt;

  if (const size_t length = leading_number(text); length > 0) {
    const bool glued = length < text.size() && !is_space(text[length]);
    if (is_formula(text.substr(length))) return std::string(text);
    return std::string(glued ? text.substr(0, text.find(' ')) : text.substr(0, length));
  }
  constexpr int kName = 3, kPhrase = 6;  // in words: "Apollo 11" is an answer, a sentence is not
  const int words = count_words(text);
  if (words > kName)
    if (auto number = last_number(text)) return number;
  return words <= kPhrase ? std::optional(std::string(text)) : std::nullopt;
}

// Offset of the value after the word "answer" that ends at `from`. The value follows "is", ":" or
// the like; a few words may stand between ("the answer to the question is").
std::optional<size_t> value_begin(std::string_view folded, size_t from) {
  constexpr int kWordsBetween = 6;
  const std::string_view rest = folded.substr(from, sentence_end(folded, from) - from);
  size_t best = std::string_view::npos, value = 0;
  for (std::string_view link :
       {":", " is", " =", " would be", " should be", " must be", " will be"}) {
    const size_t at = rest.find(link);
    if (at >= best) continue;
    const size_t end = at + link.size();
    if (is_letter(link.back()) && end < rest.size() && is_letter(rest[end])) continue;  // "isn't"
    best = at;
    value = from + end;
  }
  if (best == std::string_view::npos || count_words(rest.substr(0, best)) > kWordsBetween ||
      rest.substr(0, best).find(',') != std::string_view::npos)
    return std::nullopt;
  while (value < folded.size() && (is_space(folded[value]) || folded[value] == ':' ||
                                   (folded[value] == '*' && folded.substr(value, 2) != "**")))
    ++value;
  return value;
}

// The last "answer is X", "answer: X", "correct option is X" or "#### X" whose X can be an answer.
std::optional<std::string> introduced(std::string_view text) {
  const std::string folded = lower(text);
  std::vector<size_t> values;  // offsets at which values begin
  for (std::string_view word : {"answer", "correct option", "correct choice"})
    for (size_t at = folded.find(word); at != std::string::npos; at = folded.find(word, at + 1)) {
      const bool verb = at >= 3 && folded.compare(at - 3, 3, "to ") == 0;
      const bool list = folded.compare(at + word.size(), 8, " choices") == 0;
      if (verb || list || (at > 0 && is_letter(folded[at - 1]))) continue;
      if (const auto value = value_begin(folded, at + word.size())) values.push_back(*value);
    }
  for (size_t at = folded.find("#### "); at != std::string::npos; at = folded.find("#### ", at + 1))
    if (leading_number(trim(text.substr(at + 5))) > 0) values.push_back(at + 5);
  std::sort(values.rbegin(), values.rend());
  for (size_t value : values)
    if (auto answer = stated(trim(text.substr(value, sentence_end(text, value) - value))))
      return answer;
  return std::nullopt;
}

// The last answer that a sentence mentions without stating it as one: "so 12 + 5 = 17", "(B)",
// "Yes, ...", "Therefore, no." or any number.
std::optional<std::string> mentioned(std::string_view sentence) {
  if (auto word = leading_yes_no(sentence)) return word;
  constexpr int kVerdict = 4;  // words, as in "Therefore, yes."
  if (const size_t space = sentence.rfind(' ');
      space != std::string_view::npos && count_words(sentence) <= kVerdict)
    if (auto word = leading_yes_no(sentence.substr(space + 1))) return word;
  if (auto choice = last_choice(sentence)) return choice;
  if (const size_t equals = sentence.rfind('='); equals != std::string_view::npos) {
    const std::string_view right = trim(sentence.substr(equals + 1));
    if (const size_t length = leading_number(right); length > 0)
      return std::string(right.substr(0, length));
  }
  return last_number(sentence);
}

}  // namespace

std::string explicit_answer(std::string_view text) {
  const std::string plain = without_bold(text);
  if (auto answer = boxed(plain)) return *answer;
  return introduced(plain).value_or("");
}

std::string extract_answer(std::string_view text) {
  if (std::string answer = explicit_answer(text); !answer.empty()) return answer;
  const std::string plain = without_bold(text);
  const auto all = sentences(plain);
  for (auto sentence = all.rbegin(); sentence != all.rend(); ++sentence)
    if (auto answer = mentioned(*sentence)) return *answer;
  return "";
}

std::string conclusion_of(std::string_view text) {
  constexpr size_t kMostBytes = 400;
  text = trim(text);
  if (text.size() <= kMostBytes && text.find("\n\n") == std::string_view::npos)
    return std::string(text);
  // Goes back sentence by sentence to the one that gives the text's answer, or takes only the last
  // one. Then adds earlier sentences of the same paragraph as long as they fit.
  const std::string answer = extract_answer(text);
  const auto all = sentences(text);
  if (all.empty()) return std::string(text.substr(0, kMostBytes));
  size_t states = all.size() - 1;
  if (!answer.empty())
    for (size_t i = all.size(); i-- > 0;)
      if (extract_answer(all[i]) == answer) {
        states = i;
        break;
      }
  size_t begin = static_cast<size_t>(all[states].data() - text.data());
  size_t end = text.size();
  if (end - begin > kMostBytes) end = begin + all[states].size();
  if (end - begin > kMostBytes) begin = end - kMostBytes;
  while (begin > 0 && begin < end && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80)
    ++begin;
  for (size_t i = states; i-- > 0;) {
    const size_t earlier = static_cast<size_t>(all[i].data() - text.data());
    const bool same_paragraph =
        text.substr(earlier, begin - earlier).find("\n\n") == std::string_view::npos;
    if (!same_paragraph || end - earlier > kMostBytes) break;
    begin = earlier;
  }
  return std::string(trim(text.substr(begin, end - begin)));
}

}  // namespace polyphon
