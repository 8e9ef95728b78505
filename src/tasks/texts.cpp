// Families of strings: counting and transforming.
#include <fmt/format.h>

#include <algorithm>

#include "tasks/family.h"
#include "tasks/question_parts.h"

namespace polyphon {
namespace {

std::string random_letters(Random& random, int count, int alphabet) {
  std::string letters;
  for (int i = 0; i < count; ++i)
    letters += static_cast<char>('a' + between(random, 0, alphabet - 1));
  return letters;
}

void counting(Random& random, int difficulty, Problem& problem) {
  const std::string letters = random_letters(random, 4 + 3 * difficulty, 5);
  const char wanted = static_cast<char>('a' + between(random, 0, 4));
  std::string spaced;
  for (char c : letters) spaced += fmt::format("{}{}", spaced.empty() ? "" : " ", c);
  problem.text = fmt::format("How many times does the letter {} occur in: {}?", wanted, spaced);
  problem.solution = std::to_string(std::count(letters.begin(), letters.end(), wanted));
}

void ask_letters(char wanted, const std::string& words, Problem& problem) {
  problem.text =
      fmt::format("How many times does the letter \"{}\" occur in \"{}\"?", wanted, words);
  problem.solution = std::to_string(std::count(words.begin(), words.end(), wanted));
}

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

// Words of lower-case letters, a space between two.
bool are_words(const std::string& text) {
  char before = ' ';
  for (const char c : text + ' ') {
    if (!is_letter(c) && (c != ' ' || before == ' ')) return false;
    before = c;
  }
  return true;
}

void read_letters(std::string_view question, Problem& problem) {
  const auto quoted = quoted_in(question);
  if (quoted.size() == 2 && quoted[0].size() == 1 && is_letter(quoted[0][0]) &&
      are_words(quoted[1]))
    ask_letters(quoted[0][0], quoted[1], problem);
}

void letter_counting(Random& random, int difficulty, Problem& problem) {
  static const std::vector<std::string> words = {
      "apple",  "letter", "green",  "bottle", "summer", "window", "garden", "yellow",
      "coffee", "little", "street", "river",  "banana", "kitten", "paper",  "engine",
      "planet", "silver", "butter", "school", "mirror", "forest", "ladder", "cheese",
      "pepper", "tunnel", "rabbit", "needle", "hammer", "valley", "cotton", "dinner"};
  std::string text;
  for (int i = between(random, 1, 2 + difficulty); i > 0; --i)
    text += (text.empty() ? "" : " ") + one_of(random, words);
  // Mostly one that occurs.
  const char wanted = random.uniform() < 0.8 ? text[static_cast<size_t>(between(random, 0, 3))]
                                             : static_cast<char>('a' + between(random, 0, 25));
  ask_letters(wanted, text, problem);
}

void string_transform(Random& random, int difficulty, Problem& problem) {
  std::string word = random_letters(random, 3 + difficulty / 2, 26);
  std::string text = fmt::format("Start with \"{}\".", word);
  const int steps = 1 + difficulty / 3;
  int last = -1;
  for (int i = 0; i < steps; ++i) {
    int kind = between(random, 0, 3);
    while (kind == last) kind = between(random, 0, 3);
    last = kind;
    switch (kind) {
      case 0:
        std::reverse(word.begin(), word.end());
        text += " Reverse it.";
        break;
      case 1:
        std::rotate(word.begin(), word.begin() + 1, word.end());
        text += " Move the first letter to the end.";
        break;
      case 2:
        for (char& c : word) c = c == 'z' ? 'a' : static_cast<char>(c + 1);
        text += " Replace each letter by the next one of the alphabet (z by a).";
        break;
      default:
        std::sort(word.begin(), word.end());
        text += " Sort its letters.";
    }
  }
  problem.text = text + " What is the result?";
  problem.solution = word;
}

}  // namespace

std::vector<Family> text_families() {
  return {{"counting", counting},
          {"letter_counting", letter_counting, nullptr,
           R"(root ::= "How many times does the letter \"" [a-z] "\" occur in \"" words "\"?"
              words ::= word (" " word){0,11}
              word ::= [a-z]{3,9})",
           read_letters},
          {"string_transform", string_transform}};
}

}  // namespace polyphon
