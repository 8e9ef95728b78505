#include "tasks/recall_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/check.h"
#include "base/random.h"
#include "tasks/filler_text.h"

namespace polyphon {
namespace {

constexpr std::array kColours = {"red",  "blue",  "green", "white", "black", "grey",
                                 "gold", "brown", "pink",  "amber", "silver"};
constexpr std::array kAnimals = {"falcon", "otter",  "badger", "heron", "lynx",
                                 "salmon", "beetle", "camel",  "tiger", "rabbit",
                                 "horse",  "lizard", "whale",  "goose", "panda"};
static_assert(kColours.size() * kAnimals.size() >= kMostFacts);

void append(Tokens& tokens, const Vocabulary& vocabulary, const std::string& text) {
  const Tokens more = vocabulary.tokenize(text, false, false);
  tokens.insert(tokens.end(), more.begin(), more.end());
}

void append_filler(Tokens& tokens, const Vocabulary& vocabulary, int least, Random& random) {
  const size_t end = tokens.size() + static_cast<size_t>(least);
  while (tokens.size() < end) {
    const std::string sentence = filler_sentence(random);
    append(tokens, vocabulary, sentence + (random.uniform() < 0.2 ? "\n" : " "));
  }
}

}  // namespace

RecallScript make_recall_script(const Vocabulary& vocabulary, int facts, int before_tokens,
                                int after_tokens, uint64_t seed) {
  POLYPHON_CHECK(facts >= 1 && facts <= kMostFacts);
  Random random(seed);
  std::vector<RecallQuestion> questions;
  for (const char* colour : kColours)
    for (const char* animal : kAnimals)
      questions.push_back({fmt::format("{} {}", colour, animal), "", {}});
  shuffle(random, questions);
  questions.resize(static_cast<size_t>(facts));

  RecallScript script;
  append_filler(script.story, vocabulary, before_tokens, random);
  for (RecallQuestion& question : questions) {
    question.expected = fmt::format("{}", 1000 + static_cast<int>(random.uniform() * 9000));
    append(script.story, vocabulary,
           fmt::format("[remember: the code of the {} is {}]\n", question.name, question.expected));
    append(question.tokens, vocabulary, fmt::format("[recall: code of the {}]", question.name));
    append(question.tokens, vocabulary,
           fmt::format("My note was: [remember: the code of the {} is", question.name));
  }
  script.last_fact_end = script.story.size();
  append_filler(script.story, vocabulary, after_tokens, random);
  shuffle(random, questions);
  script.questions = std::move(questions);
  return script;
}

size_t RecallScript::longest_question() const {
  size_t longest = 0;
  for (const RecallQuestion& question : questions)
    longest = std::max(longest, question.tokens.size());
  return longest;
}

Topology recall_topology(const RecallScript& script) {
  return {{{1, static_cast<int>(script.story.size())},
           {static_cast<int>(script.questions.size()),
            static_cast<int>(script.longest_question()) + kAnswerTokens}}};
}

std::vector<Tokens> recall_scripts(const RecallScript& script) {
  std::vector<Tokens> scripts = {script.story};
  for (const RecallQuestion& question : script.questions) scripts.push_back(question.tokens);
  return scripts;
}

std::vector<std::string> recall_answers(const Trace& trace, const RecallScript& script,
                                        const Vocabulary& vocabulary) {
  std::vector<std::string> answers;
  for (size_t i = 0; i < script.questions.size(); ++i) {
    Tokens said;
    for (const TraceSpan& span : trace.spans)
      if (span.owner.is_stream(static_cast<int>(i) + 1))
        said.insert(said.end(), span.tokens.begin(), span.tokens.end());
    const size_t asked = script.questions[i].tokens.size();
    POLYPHON_CHECK(asked + kAnswerTokens <= said.size());
    answers.push_back(vocabulary.detokenize(std::span(said).subspan(asked, kAnswerTokens), false));
  }
  return answers;
}

bool is_exact_recall(const std::string& answer, const std::string& expected) {
  const size_t begin = std::min(answer.size(), answer.find_first_not_of(" \t\n:"));
  if (answer.compare(begin, expected.size(), expected) != 0) return false;
  const size_t end = begin + expected.size();
  return end >= answer.size() || std::isdigit(static_cast<unsigned char>(answer[end])) == 0;
}

}  // namespace polyphon
