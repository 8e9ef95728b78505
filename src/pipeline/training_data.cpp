#include "pipeline/training_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/replace_file.h"
#include "pipeline/selfplay.h"
#include "tasks/family.h"
#include "tasks/worked.h"

namespace polyphon {
namespace {

void append(Tokens& to, const Tokens& tokens) { to.insert(to.end(), tokens.begin(), tokens.end()); }

// What ends a turn in the model's template: the first such token of what leads to the next turn.
std::optional<Token> turn_end(const LanguageModel& model) {
  const Vocabulary& vocabulary = model.vocabulary();
  for (const Token token : vocabulary.tokenize(model.chat_template().interjection(""), true, false))
    if (vocabulary.is_end_of_generation(token)) return token;
  return std::nullopt;
}

struct Attempt {
  TrainingSequence sequence;
  bool right = false;
};

// The problems' streams, right and wrong, as they were.
using Problems = std::vector<std::vector<Attempt>>;

const TraceSpan* only_span(const Trace& trace, const std::string& owner) {
  const TraceSpan* found = nullptr;
  for (const TraceSpan& span : trace.spans) {
    if (span.owner != owner) continue;
    if (found) return nullptr;
    found = &span;
  }
  return found;
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
    std::vector<Attempt> attempts;
    for (size_t i = 0; i < outcome.right.size(); ++i) {
      auto sequence = sequence_of(trace, outcome.cell, i);
      if (sequence)
        attempts.push_back({std::move(*sequence), outcome.right[i]});
      else
        ++counts_.edited;
    }
    ++counts_.cells[outcome.cell].problems;
    CellCounts& played = played_[outcome.cell];
    played.streams += static_cast<int>(outcome.right.size());
    played.right += outcome.right_count();
    problems_.push_back(std::move(attempts));
  }

  std::vector<TrainingSequence> build() {
    if (options_.random_rewards) deal_out_anew();
    weigh();
    add_worked();
    shuffle(random_, result_);
    counts_.sequences = static_cast<int>(result_.size());
    for (const TrainingSequence& sequence : result_)
      counts_.target_tokens += static_cast<int64_t>(sequence.tokens.size()) - sequence.begin;
    return std::move(result_);
  }

 private:
  std::optional<TrainingSequence> sequence_of(const Trace& trace, const Cell& cell,
                                              size_t i) const {
    const TraceSpan* const preamble = only_span(trace, fmt::format("preamble {}", i));
    const TraceSpan* const stream = only_span(trace, fmt::format("stream {}", i));
    const Json& streams = trace.result.at("streams");
    if (!preamble || !stream || i >= streams.size() || only_span(trace, fmt::format("cue {}", i)))
      return std::nullopt;
    TrainingSequence sequence{cell, trace.request.at("prompt").get<Tokens>()};
    append(sequence.tokens, preamble->tokens);
    sequence.begin = static_cast<int>(sequence.tokens.size());
    append(sequence.tokens, stream->tokens);
    if (streams[i].at("finish_reason") == "stop" && end_) sequence.tokens.push_back(*end_);
    return sequence;
  }

  void deal_out_anew() {
    std::vector<bool> outcomes;
    for (const auto& attempts : problems_)
      for (const Attempt& attempt : attempts) outcomes.push_back(attempt.right);
    for (size_t i = outcomes.size(); i > 1; --i) {
      const auto j = static_cast<size_t>(between(random_, 0, static_cast<int>(i) - 1));
      const bool kept = outcomes[i - 1];
      outcomes[i - 1] = outcomes[j];
      outcomes[j] = kept;
    }
    size_t next = 0;
    for (auto& attempts : problems_)
      for (Attempt& attempt : attempts) attempt.right = outcomes[next++];
  }

  // In an order of chance, so that the cap of a cell takes from all of its problems.
  void weigh() {
    shuffle(random_, problems_);
    for (auto& attempts : problems_) {
      const auto right = std::count_if(attempts.begin(), attempts.end(),
                                       [](const Attempt& attempt) { return attempt.right; });
      const double mean =
          static_cast<double>(right) / static_cast<double>(std::max<size_t>(1, attempts.size()));
      for (Attempt& attempt : attempts) {
        double weight = (attempt.right ? 1 : 0) - mean;
        if (options_.winners_only) weight = attempt.right ? 1 : 0;
        weight = std::max(weight, -options_.failure_weight);
        if (weight == 0) continue;
        DataCounts::Cell& cell = counts_.cells[attempt.sequence.cell];
        int& taken = weight > 0 ? cell.right : cell.wrong;
        if (taken == options_.most_per_cell) continue;
        ++taken;
        attempt.sequence.weight = weight;
        result_.push_back(std::move(attempt.sequence));
      }
    }
  }

  // Of the cells that were played, and of each family's next difficulty.
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
    ProblemSource source(derive_seed(options_.seed, 1), held_out_);
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
      TrainingSequence sequence{
          cell, vocabulary.tokenize(model_.chat_template().render(chat).text, true, true)};
      append(sequence.tokens, vocabulary.tokenize(strategy.preamble, false, false));
      sequence.begin = static_cast<int>(sequence.tokens.size());
      append(sequence.tokens, vocabulary.tokenize(solutions[i], false, false));
      if (end_) sequence.tokens.push_back(*end_);
      result_.push_back(std::move(sequence));
    }
    counts_.cells[cell].worked = options_.worked_per_cell;
  }

  const LanguageModel& model_;
  const std::vector<Strategy>& strategies_;
  const std::set<std::string>& held_out_;
  const DataOptions& options_;
  DataCounts& counts_;
  const std::optional<Token> end_;
  Random random_;
  Problems problems_;
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
          if (trace.model_digest == model_digest)
            builder.add(trace, outcome);
          else
            ++counts.foreign;
        });
    counts.damaged += read.damaged;
    if (counts.first_damage.empty()) counts.first_damage = read.first_damage;
  }
  std::vector<TrainingSequence> sequences = builder.build();
  if (sequences.empty())
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("nothing to learn from in {}: {} traces of another model, {} damaged "
                            "lines, no right and wrong streams of one problem, no worked solutions",
                            fmt::join(folders, ", "), counts.foreign, counts.damaged));
  return sequences;
}

void write_training_data(const std::string& path, const std::vector<TrainingSequence>& sequences) {
  replace_file(path, [&](std::ostream& file) {
    for (const TrainingSequence& sequence : sequences) {
      const Json target = Json::array(
          {sequence.begin, sequence.tokens.size(), static_cast<float>(sequence.weight)});
      file << Json{{"tokens", sequence.tokens}, {"targets", Json::array({target})}}.dump() << '\n';
    }
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
                     {"worked", of.worked}});
  return {{"sequences", counts.sequences}, {"target_tokens", counts.target_tokens},
          {"foreign", counts.foreign},     {"damaged", counts.damaged},
          {"edited", counts.edited},       {"cells", std::move(cells)}};
}

}  // namespace polyphon
