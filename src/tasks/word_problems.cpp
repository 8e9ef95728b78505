// Word problems from templates: a story of steps, each of which changes one quantity.
#include <fmt/format.h>

#include "tasks/family.h"

namespace polyphon {
namespace {

struct Story {
  const char* opening;  // who, how many
  const char* gain;
  const char* loss;
  const char* multiply;
  const char* share;  // among how many; asked for at the end
  const char* question;
};

const std::vector<Story>& stories() {
  static const std::vector<Story> stories = {
      {"{} has {} marbles.", "A friend gives {} more.", "{} marbles are lost.",
       "Then the number of marbles becomes {} times as large.",
       "The marbles are put into bags of {} with none left over.",
       "How many marbles are there now?"},
      {"{} bakes {} cookies.", "Later {} more are baked.", "{} cookies are eaten.",
       "For a party the number of cookies is made {} times as large.",
       "The cookies are packed into boxes of {} with none left over.",
       "How many cookies are there now?"},
      {"{} collects {} stamps.", "A letter brings {} more stamps.", "{} stamps are sold.",
       "After an inheritance there are {} times as many.",
       "The stamps are put on pages of {} with none left over.", "How many stamps are there now?"}};
  return stories;
}

void word_problem(Random& random, int difficulty, Problem& problem) {
  static const std::vector<std::string> people = {"Mia", "Tom", "Lena", "Omar", "Rosa", "Kofi"};
  const Story& story = one_of(random, stories());
  int quantity = between(random, 5, 10 + 5 * difficulty);
  std::string text = fmt::format(fmt::runtime(story.opening), one_of(random, people), quantity);
  const auto tell = [&](const char* sentence, int number) {
    text += " " + fmt::format(fmt::runtime(sentence), number);
  };
  const int steps = 1 + difficulty / 2;
  for (int i = 0; i < steps; ++i) {
    const int kind = between(random, 0, difficulty <= 2 ? 1 : 2);
    if (kind == 0) {
      const int more = between(random, 2, 5 + 5 * difficulty);
      quantity += more;
      tell(story.gain, more);
    } else if (kind == 1 && quantity > 3) {
      const int fewer = between(random, 1, quantity - 2);
      quantity -= fewer;
      tell(story.loss, fewer);
    } else {
      const int times = between(random, 2, 4);
      quantity *= times;
      tell(story.multiply, times);
    }
  }
  if (difficulty >= 5 && random.uniform() < 0.5) {
    const int bag = between(random, 2, 6);
    if (const int missing = (bag - quantity % bag) % bag; missing > 0) {
      quantity += missing;
      tell(story.gain, missing);
    }
    tell(story.share, bag);
    problem.text = text + " How many of these are there?";
    problem.solution = std::to_string(quantity / bag);
    return;
  }
  problem.text = text + " " + story.question;
  problem.solution = std::to_string(quantity);
}

}  // namespace

std::vector<Family> word_families() { return {{"word_problem", word_problem}}; }

}  // namespace polyphon
