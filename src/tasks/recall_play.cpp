#include "tasks/recall_play.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "tasks/family.h"
#include "tasks/filler_text.h"
#include "text/sentences.h"

namespace polyphon {
namespace {

constexpr size_t kSlackTokens = 6;  // of other text before a question, at least

class Playwright {
 public:
  Playwright(const Vocabulary& vocabulary, const RecallPlayOptions& options, uint64_t seed)
      : vocabulary_(vocabulary),
        options_(options),
        random_(seed),
        line_end_(tokenize("\n")),
        lead_in_(tokenize("(I remember:")) {}

  RecallPlay play() {
    deal_facts();
    deal_questions();
    set_cadence();
    for (int stream = 0; stream < options_.streams; ++stream) write(stream);
    return std::move(play_);
  }

 private:
  Tokens tokenize(const std::string& text) const {
    return vocabulary_.tokenize(text, false, false);
  }
  static void append(Tokens& to, const Tokens& more) {
    to.insert(to.end(), more.begin(), more.end());
  }
  size_t streams() const { return static_cast<size_t>(options_.streams); }

  void deal_facts() {
    std::vector<RecallFact> facts = make_recall_facts(options_.relations, options_.people, random_);
    const size_t stated = streams() * static_cast<size_t>(options_.facts);
    if (facts.size() < stated)
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} streams of {} facts are more than the {} facts there are",
                              options_.streams, options_.facts, facts.size()),
                  "streams");
    unstated_.assign(facts.begin() + static_cast<std::ptrdiff_t>(stated), facts.end());
    facts.resize(stated);
    facts_ = std::move(facts);
  }
  // Of fact number i.
  size_t stated_by(size_t fact) const { return fact % streams(); }

  // The facts that a stream did not state itself in turn, in an order of its own.
  void deal_questions() {
    std::vector<size_t> order(facts_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    shuffle(random_, order);
    for (int round = 0; round < options_.questions; ++round) {
      for (int stream = 0; stream < options_.streams; ++stream) {
        if (!unstated_.empty() && random_.uniform() < options_.unstated_share) {
          ask(stream, unstated_.back(), "");
          unstated_.pop_back();
          continue;
        }
        const auto other = std::find_if(order.begin(), order.end(), [&](size_t fact) {
          return stated_by(fact) != static_cast<size_t>(stream);
        });
        if (other == order.end()) continue;
        ask(stream, facts_[*other], facts_[*other].statement);
        order.erase(other);
      }
    }
  }
  void ask(int stream, const RecallFact& fact, const std::string& statement) {
    play_.questions.push_back({{stream, fact.question, statement}, fact.answer, 0});
  }

  Tokens sentences_of(size_t stream) {
    std::vector<std::string> sentences;
    for (size_t fact = stream; fact < facts_.size(); fact += streams()) {
      sentences.push_back(facts_[fact].statement);
      sentences.push_back(idle_about_someone());
    }
    shuffle(random_, sentences);
    Tokens tokens;
    for (const std::string& sentence : sentences) append(tokens, tokenize(" " + sentence));
    return tokens;
  }
  // Of one of those whom facts are about, by the name that its fact has been given.
  std::string idle_about_someone() {
    return random_.uniform() < 0.3 ? filler_sentence(random_)
                                   : idle_sentence(one_of(random_, facts_).person, random_);
  }

  // So that two cadences hold what any stream states, and one an answer with the next question.
  void set_cadence() {
    size_t longest = 0;
    for (size_t stream = 0; stream < streams(); ++stream) {
      told_.push_back(sentences_of(stream));
      longest = std::max(longest, (told_.back().size() + 1) / 2);
    }
    const size_t answer = lead_in_.size() + kRecallAnswerTokens;
    for (const RecallQuestionAt& question : play_.questions)
      longest = std::max(longest, answer + asking(question).size());
    cadence_ = longest + kSlackTokens;
    play_.cadence_tokens = static_cast<int>(cadence_);
  }
  Tokens asking(const RecallQuestionAt& question) const {
    Tokens tokens = line_end_;
    append(tokens, tokenize(question.asked.question));
    append(tokens, line_end_);
    return tokens;
  }

  void pad(Tokens& tokens, size_t size) {
    POLYPHON_CHECK(tokens.size() <= size);
    while (tokens.size() < size) {
      const std::string sentence = filler_sentence(random_);
      append(tokens, tokenize(" " + sentence));
    }
    tokens.resize(size);
  }

  void write(int stream) {
    Tokens script = told_[static_cast<size_t>(stream)];
    size_t end = 2 * cadence_;
    pad(script, end);
    for (RecallQuestionAt& question : play_.questions) {
      if (question.asked.stream != stream) continue;
      const Tokens asked = asking(question);
      pad(script, end += cadence_ - asked.size());
      append(script, asked);
      end = script.size();
      append(script, lead_in_);
      question.answer_begin = script.size();
      script.insert(script.end(), kRecallAnswerTokens, kNoToken);
    }
    // Who had less to ask goes on with other text, so that all are of one length.
    pad(script, cadence_ * static_cast<size_t>(2 + options_.questions) + lead_in_.size() +
                    kRecallAnswerTokens);
    play_.scripts.push_back(std::move(script));
  }

  const Vocabulary& vocabulary_;
  const RecallPlayOptions& options_;
  Random random_;
  const Tokens line_end_, lead_in_;
  std::vector<RecallFact> facts_, unstated_;
  std::vector<Tokens> told_;  // [streams]
  size_t cadence_ = 0;
  RecallPlay play_;
};

}  // namespace

int most_script_tokens(const RecallPlayOptions& options) {
  constexpr int kSentenceTokens = 20;
  const int answer = kSentenceTokens + static_cast<int>(kRecallAnswerTokens);
  // A stream states each of its facts beside an idle sentence, in two cadences.
  const int longest = std::max(options.facts * kSentenceTokens, answer + kSentenceTokens);
  return (longest + static_cast<int>(kSlackTokens)) * (2 + options.questions) + answer;
}

bool asks(std::string_view query, const AskedFact& asked) {
  return trim(query).ends_with(asked.question);
}

RecallPlay make_recall_play(const Vocabulary& vocabulary, const RecallPlayOptions& options,
                            uint64_t seed) {
  return Playwright(vocabulary, options, seed).play();
}

}  // namespace polyphon
