#include "tasks/filler_text.h"

#include <fmt/format.h>

#include <array>
#include <cctype>

namespace polyphon {
namespace {

constexpr std::array kPeople = {"the baker",   "my neighbour", "a teacher",  "the old captain",
                                "her brother", "the gardener", "our doctor", "a young painter"};
constexpr std::array kActs = {"was looking for", "talked about",  "carried", "repaired",
                              "wrote about",     "had forgotten", "sold",    "was dreaming of"};
constexpr std::array kThings = {"a wooden boat", "the long letter", "a basket of bread",
                                "an old clock",  "the garden door", "a pair of boots",
                                "the map",       "a quiet song"};
constexpr std::array kPlaces = {"near the river", "in the early morning", "behind the church",
                                "after the rain", "at the market",        "on the way home",
                                "by the window",  "in the mountains"};

template <typename Words>
const char* pick(Random& random, const Words& words) {
  return words[static_cast<size_t>(random.uniform() * static_cast<double>(words.size()))];
}

}  // namespace

std::string filler_sentence(Random& random) {
  // One after the other: arguments of one call would be drawn in any order.
  const char* const place = pick(random, kPlaces);
  const char* const thing = pick(random, kThings);
  const char* const act = pick(random, kActs);
  const char* const person = pick(random, kPeople);
  std::string sentence = fmt::format("{} {} {} {}.", person, act, thing, place);
  sentence[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(sentence[0])));
  return sentence;
}

}  // namespace polyphon
