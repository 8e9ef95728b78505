#include "data/training_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/replace_file.h"
#include "core/seeds.h"
#include "core/topology.h"
#include "data/answer_pool.h"
#include "data/problem_source.h"
#include "record/trace_example.h"
#include "record/trace_promotion.h"
#include "tasks/family.h"
#include "tasks/worked.h"

namespace polyphon {
namespace {

void append(Tokens& to, const Tokens& tokens) { to.insert(to.end(), tokens.begin(), tokens.end()); }

// The token that ends a turn in the model's chat template: the first such token before the next
// turn.
std::optional<Token> turn_end(const LanguageModel& model) {
  const Vocabulary& vocabulary = model.vocabulary();
  for (const Token token : vocabulary.tokenize(model.chat_template().interjection(""), true, false))
    if (vocabulary.is_end_of_generation(token)) return token;
  return std::nullopt;
}

struct Attempt {
  std::vector<int> spans;  // spans of the trace that the stream sampled
  int last_span = -1;      // the last span of the stream's sequence
  bool stopped = false;    // it ended its turn, so the end is learnt too
  bool right = false;
  double weight = 0;
};

struct PlayedSession {
  Cell cell;
  TraceExample trace;
  std::vector<Attempt> attempts;  // all streams, right and wrong
  std::optional<AnswerPool> pool;
  std::map<int, double> effects;  // effects of promotions whose counterfactual was played
};

Attempt attempt_of(const Trace& trace, size_t stream, bool right) {
  Attempt attempt;
  attempt.right = right;
  int sequence = -1;
  for (const TraceSpan& span : trace.spans)
    if (span.owner.is_stream(static_cast<int>(stream))) {
      attempt.spans.push_back(span.id);
      sequence = span.sequence;
    }
  for (const TraceSpan& span : trace.spans)
    if (span.sequence == sequence && !span.tokens.empty()) attempt.last_span = span.id;
  attempt.stopped = trace.result.streams.at(stream).finish_reason == FinishReason::kStop;
  return attempt;
}

double right_share(const std::vector<Attempt>& attempts) {
  const auto right = std::count_if(attempts.begin(), attempts.end(),
                                   [](const Attempt& attempt) { return attempt.right; });
  return static_cast<double>(right) / static_cast<double>(std::max<size_t>(1, attempts.size()));
}

class Builder {
 public:
  Builder(const LanguageModel& model, const std::vector<Strategy>& strategies,
          const std::set<std::string>& held_out, const DataOptions& options, DataCounts& counts)
      : model_(model),
        strategies_(strategies),
        held_out_(held_out),
        options_(options),
        counts_(counts),
        end_(turn_end(model)),
        random_(options.seed) {}

  void add(const Trace& trace, const Outcome& outcome) {
    if (!outcome.asked.empty())
      throw Error(ErrorCode::kInvalidArgument,
                  "a session of recall has no attempts: it is for `polyphon train --heads`");
    if (outcome.answer_right)
      throw Error(ErrorCode::kInvalidArgument,
                  "it was played to compare topologies: it is for `polyphon train "
                  "--heads`");
    if (outcome.is_proposed() && !outcome.is_mixed()) {
      ++counts_.one_sided;
      return;
    }
    std::vector<TracePromotion> promotions;
    if (options_.whole_sessions) promotions = trace_promotions(trace);
    PlayedSession session{
        outcome.cell, TraceExample(trace, model_.vocabulary().anchor(), promotions), {}, {}, {}};
    for (const Counterfactual& without : outcome.counterfactuals)
      if (without.same_before && options_.whole_sessions) {
        promotion_at(promotions, without.promotion);
        session.effects[without.promotion] = effect_of(outcome, without);
      }
    for (size_t i = 0; i < outcome.right.size(); ++i)
      session.attempts.push_back(attempt_of(trace, i, outcome.right[i]));
    if (options_.answers_per_cell > 0) session.pool = answer_pool_of(trace, outcome);
    if (outcome.is_proposed()) ++counts_.proposed;
    ++counts_.cells[outcome.cell].problems;
    CellCounts& played = played_[outcome.cell];
    played.streams += static_cast<int>(outcome.right.size());
    played.right += outcome.right_count();
    sessions_.push_back(std::move(session));
  }

  std::vector<TrainingSequence> build() {
    if (options_.random_rewards) deal_out_anew();
    shuffle(random_, sessions_);  // so that a cell's limit does not favour its first problems
    weigh();
    choose_pools();
    for (const PlayedSession& session : sessions_) learn(session);
    add_worked();
    shuffle(random_, result_);
    counts_.sequences = static_cast<int>(result_.size());
    for (const auto& [cell, example] : result_) {
      counts_.longest = std::max(counts_.longest, example.rows());
      counts_.tokens += example.rows();
      counts_.target_tokens += example.target_tokens();
      for (const ExamplePromotion& promotion : example.promotions)
        counts_.effects += promotion.effect != 0 ? 1 : 0;
    }
    return std::move(result_);
  }

 private:
  void deal_out_anew() {
    std::vector<char> outcomes;
    for (const PlayedSession& session : sessions_)
      for (const Attempt& attempt : session.attempts) outcomes.push_back(attempt.right);
    shuffle(random_, outcomes);
    size_t next = 0;
    for (PlayedSession& session : sessions_)
      for (Attempt& attempt : session.attempts) attempt.right = outcomes[next++] != 0;

    std::vector<double> effects;
    for (const PlayedSession& session : sessions_)
      for (const auto& [promotion, effect] : session.effects) effects.push_back(effect);
    shuffle(random_, effects);
    next = 0;
    for (PlayedSession& session : sessions_)
      for (auto& [promotion, effect] : session.effects) effect = effects[next++];
  }

  void weigh() {
    for (PlayedSession& session : sessions_) {
      std::vector<bool> right;
      for (const Attempt& attempt : session.attempts) right.push_back(attempt.right);
      const std::vector<double> weights = stream_weights(right, options_.rewards);
      DataCounts::Cell& cell = counts_.cells[session.cell];
      for (size_t i = 0; i < weights.size(); ++i) {
        Attempt& attempt = session.attempts[i];
        if (weights[i] == 0 || attempt.last_span < 0) continue;
        int& taken = attempt.right ? cell.right : cell.wrong;
        if (taken == options_.most_per_cell) continue;
        ++taken;
        attempt.weight = weights[i];
      }
    }
  }

  // Removes the pool from sessions whose answer is not learnt.
  void choose_pools() {
    int room = 0;  // how many majority answers may be learnt
    std::map<Cell, std::vector<std::string*>> answers;
    for (const bool few : {true, false})
      for (PlayedSession& session : sessions_) {
        if (!session.pool || session.pool->minority != few) continue;
        DataCounts::Cell& cell = counts_.cells[session.cell];
        int& taken = few ? cell.minority : cell.majority;
        if (taken == options_.answers_per_cell || (!few && room == 0)) {
          session.pool.reset();
          continue;
        }
        ++taken;
        room += few ? 1 : -1;
        answers[session.cell].push_back(&session.pool->answer);
      }
    if (!options_.random_rewards) return;
    for (auto& [cell, of_cell] : answers) {
      std::vector<std::string> dealt;
      for (const std::string* answer : of_cell) dealt.push_back(*answer);
      shuffle(random_, dealt);
      for (size_t i = 0; i < dealt.size(); ++i) *of_cell[i] = std::move(dealt[i]);
    }
  }

  void learn(const PlayedSession& session) {
    TraceExample whole = session.trace;
    std::vector<std::vector<int>> together;
    for (const Attempt& attempt : session.attempts) {
      if (attempt.weight == 0) continue;
      if (options_.whole_sessions) {
        learn(attempt, whole);
        together.push_back(attempt.spans);
        continue;
      }
      TraceExample alone = session.trace;
      learn(attempt, alone);
      add(session.cell, alone.example());
    }
    for (const auto& [promotion, effect] : session.effects)
      whole.learn_effect(promotion, static_cast<float>(effect));
    whole.hold_apart(together, static_cast<float>(right_share(session.attempts)));
    if (session.pool) {
      Tokens answer = model_.vocabulary().tokenize(answer_text(session.pool->answer), false, false);
      if (end_) answer.push_back(*end_);
      const auto weight = static_cast<float>(options_.answer_weight);
      whole.learn_after(session.pool->merge_span, answer, weight);
    }
    if (whole.learns()) add(session.cell, whole.example());
  }

  void learn(const Attempt& attempt, TraceExample& trace) const {
    const auto weight = static_cast<float>(attempt.weight);
    for (const int span : attempt.spans) trace.learn(span, weight);
    if (attempt.stopped && end_) trace.learn_after(attempt.last_span, {*end_}, weight);
  }

  bool add(const Cell& cell, Example example) {
    if (example.rows() > options_.most_tokens) {
      ++counts_.too_long;
      return false;
    }
    result_.push_back({cell, std::move(example)});
    return true;
  }

  // Adds worked solutions for the cells that were played and for each family's next difficulty.
  void add_worked() {
    std::map<std::string, int> hardest;
    for (const auto& [cell, counts] : played_) {
      hardest[cell.family] = std::max(hardest[cell.family], cell.difficulty);
      if (counts.success() < options_.worked_below) add_worked(cell);
    }
    for (const auto& [family, difficulty] : hardest)
      if (difficulty < Problem::kMaxDifficulty) add_worked({family, difficulty + 1});
  }

  void add_worked(const Cell& cell) {
    if (!has_worked_solution(cell.family)) return;
    ProblemSource source(seeds::kWorkedProblems.of(options_.seed), held_out_);
    std::vector<Problem> problems;
    std::vector<std::string> solutions;
    for (int i = 0; i < options_.worked_per_cell; ++i) {
      problems.push_back(source.next(cell));
      solutions.push_back(worked_solution(problems.back(), static_cast<uint64_t>(i)));
    }
    if (options_.random_rewards) shuffle(random_, solutions);
    for (size_t i = 0; i < problems.size(); ++i) {
      const Strategy& strategy = strategies_[i % strategies_.size()];
      ChatInput chat;
      chat.messages = Json::array({{{"role", "user"}, {"content", problems[i].text}}});
      const Vocabulary& vocabulary = model_.vocabulary();
      Example example;
      example.tokens = vocabulary.tokenize(model_.chat_template().render(chat).text, true, true);
      append(example.tokens, vocabulary.tokenize(strategy.preamble, false, false));
      const int begin = example.rows();
      append(example.tokens, vocabulary.tokenize(solutions[i], false, false));
      if (end_) example.tokens.push_back(*end_);
      example.targets = {{begin, example.rows()}};
      if (add(cell, std::move(example))) ++counts_.cells[cell].worked;
    }
  }

  const LanguageModel& model_;
  const std::vector<Strategy>& strategies_;
  const std::set<std::string>& held_out_;
  const DataOptions& options_;
  DataCounts& counts_;
  const std::optional<Token> end_;
  Random random_;
  std::vector<PlayedSession> sessions_;
  std::map<Cell, CellCounts> played_;
  std::vector<TrainingSequence> result_;
};

}  // namespace

std::vector<TrainingSequence> build_training_data(const std::vector<std::string>& folders,
                                                  const LanguageModel& model,
                                                  const std::string& model_digest,
                                                  const std::vector<Strategy>& strategies,
                                                  const std::set<std::string>& held_out,
                                                  const DataOptions& options, DataCounts& counts) {
  Builder builder(model, strategies, held_out, options, counts);
  for (const std::string& folder : folders) {
    const RolloutCounts read =
        read_rollouts(folder, [&](const Trace& trace, const Outcome& outcome) {
          if (trace.model_digest != model_digest) {
            ++counts.foreign;
            return;
          }
          if (!outcome.trees.empty()) {
            ++counts.searched;
            return;
          }
          builder.add(trace, outcome);
        });
    if (counts.damaged == 0) counts.first_damage = read.first_damage;
    counts.damaged += read.damaged;
  }
  std::vector<TrainingSequence> sequences = builder.build();
  if (sequences.empty())
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "nothing to learn from in {}: {} traces of another model, {} with searches, {} damaged "
            "lines, no right and wrong streams of one problem, no worked solutions, no answers",
            fmt::join(folders, ", "), counts.foreign, counts.searched, counts.damaged));
  return sequences;
}

void write_training_data(const std::string& path, const std::string& model_digest,
                         const std::vector<TrainingSequence>& sequences) {
  replace_file(path, [&](std::ostream& file) {
    file << Json{{kExamplesModel, model_digest}}.dump() << '\n';
    for (const TrainingSequence& sequence : sequences)
      file << to_json(sequence.example).dump() << '\n';
  });
}

Json to_json(const DataCounts& counts) {
  Json cells = Json::array();
  for (const auto& [cell, of] : counts.cells)
    cells.push_back({{"family", cell.family},
                     {"difficulty", cell.difficulty},
                     {"problems", of.problems},
                     {"right", of.right},
                     {"wrong", of.wrong},
                     {"worked", of.worked},
                     {"minority", of.minority},
                     {"majority", of.majority}});
  return {{"sequences", counts.sequences}, {"longest", counts.longest},
          {"tokens", counts.tokens},       {"target_tokens", counts.target_tokens},
          {"effects", counts.effects},     {"proposed", counts.proposed},
          {"one_sided", counts.one_sided}, {"foreign", counts.foreign},
          {"searched", counts.searched},   {"damaged", counts.damaged},
          {"too_long", counts.too_long},   {"cells", std::move(cells)}};
}

}  // namespace polyphon
