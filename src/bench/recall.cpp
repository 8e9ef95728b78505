#include "bench/recall.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "data/problem_source.h"
#include "deploy/load.h"
#include "selfplay/recall_rollouts.h"
#include "tasks/classification.h"

namespace polyphon {
namespace {

// Of one question.
struct Answered {
  int session = 0;
  bool stated = false;  // somebody has said what it asks for
  bool written = false, found = false, right = false;
  bool brought = false;  // something came back, right or not
};

struct RecallCondition {
  std::string name;
  Heads heads;
  RecallPolicy policy;
  std::string over;  // the condition before it that its gain is over
};

bool holds_word(const std::string& text, const std::string& word) {
  const auto inside = [&](size_t at) {
    return at < text.size() && std::isalnum(static_cast<unsigned char>(text[at])) != 0;
  };
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
    if ((at == 0 || !inside(at - 1)) && !inside(at + word.size())) return true;
  return false;
}

std::string said(const Trace& trace, const RecallQuestionAt& question,
                 const Vocabulary& vocabulary) {
  const std::string owner = fmt::format("stream {}", question.asked.stream);
  Tokens tokens;
  for (const TraceSpan& span : trace.spans)
    if (span.owner == owner) tokens.insert(tokens.end(), span.tokens.begin(), span.tokens.end());
  const size_t begin = std::min(question.answer_begin, tokens.size());
  return vocabulary.detokenize(
      std::span(tokens).subspan(begin, std::min(kRecallAnswerTokens, tokens.size() - begin)),
      false);
}

class RecallBench {
 public:
  RecallBench(const RecallBenchOptions& options, const Config& config, const OnFigure& on_figure)
      : options_(options), on_figure_(on_figure), reasoner_(load_reasoner(config)) {
    const std::shared_ptr<const Heads> heads = reasoner_->heads();
    const bool trained = heads->version != Heads{}.version;
    const RecallPolicy silent{0, 0}, all{0, kRecallTokens};
    const std::string nothing = "nothing comes back", untrained_all = "untrained, all written";
    conditions_ = {{nothing, {}, silent, ""}, {untrained_all, {}, all, nothing}};
    if (trained) conditions_.push_back({"trained, all written", *heads, all, untrained_all});
    for (const double threshold : options.write_thresholds) {
      const RecallPolicy chosen{threshold, kRecallTokens, options.nodes};
      const std::string untrained = fmt::format("untrained, written above {}", threshold);
      conditions_.push_back({untrained, {}, chosen, nothing});
      if (trained)
        conditions_.push_back(
            {fmt::format("trained, written above {}", threshold), *heads, chosen, untrained});
    }
  }

  Json run() {
    Json rows = Json::array();
    std::map<std::string, std::vector<Answered>> answered;
    for (const RecallCondition& condition : conditions_) {
      const std::vector<Answered>& these = answered[condition.name] = measure(condition);
      Json row = describe(condition.name, these);
      if (!condition.over.empty()) {
        const std::vector<Answered>& before = answered.at(condition.over);
        row["over"] = condition.over;
        row["found_gain"] = to_json(share(these, before, &Answered::found));
        row["right_gain"] = to_json(share(these, before, &Answered::right));
      }
      on_figure_(row, line_of(row));
      rows.push_back(std::move(row));
    }
    Json whole = result_head("recall", *reasoner_);
    whole.update({{"relations", options_.seen_relations ? "training" : "held out"},
                  {"sessions", options_.sessions},
                  {"max_nodes", options_.nodes},
                  {"seed", options_.seed},
                  {"rows", std::move(rows)}});
    return whole;
  }

 private:
  static constexpr int kRecallTokens = 256;

  std::vector<Answered> measure(const RecallCondition& condition) {
    reasoner_->swap_heads(condition.heads);
    RecallPlayOptions options;
    options.relations = options_.seen_relations ? RelationSet::kTraining : RelationSet::kHeldOut;
    std::vector<Answered> answered;
    for (int session = 0; session < options_.sessions; ++session) {
      const uint64_t seed = kFirstSuiteSeed + options_.seed * 1000 + static_cast<uint64_t>(session);
      const RecallPlay play = make_recall_play(reasoner_->model().vocabulary(), options, seed);
      SessionTicket ticket = reasoner_->think(recall_input(play, condition.policy), {});
      const Finished finished = wait_finished(ticket);
      if (!options_.trace_path.empty()) append_trace(options_.trace_path, *finished.trace);
      for (const RecallQuestionAt& question : play.questions) {
        answered.push_back(look_at(finished, question));
        answered.back().session = session;
      }
    }
    return answered;
  }

  Answered look_at(const Finished& finished, const RecallQuestionAt& question) const {
    const AskedFact& asked = question.asked;
    Answered answered;
    answered.stated = !asked.fact.empty();
    const Json& nodes = finished.polyphon.at("memory").at("nodes");
    answered.written = std::any_of(nodes.begin(), nodes.end(),
                                   [&](const Json& node) { return node.at("text") == asked.fact; });
    for (const Json& recall : finished.polyphon.at("memory").at("recalls")) {
      if (recall.at("stream") != asked.stream ||
          !asks(recall.at("query").get<std::string>(), asked))
        continue;
      answered.brought = true;
      const Json& placed = recall.at("placed");
      for (const Json& node : recall.at("nodes"))
        answered.found |= node.at("text") == asked.fact &&
                          std::find(placed.begin(), placed.end(), node.at("node")) != placed.end();
    }
    answered.right = holds_word(said(*finished.trace, question, reasoner_->model().vocabulary()),
                                question.answer);
    return answered;
  }

  // Of the questions that something stated answers, by session; with `before` the difference.
  static Interval share(const std::vector<Answered>& answered, const std::vector<Answered>& before,
                        bool Answered::* member) {
    std::vector<int> sessions;
    std::vector<double> values;
    for (size_t i = 0; i < answered.size(); ++i) {
      if (!answered[i].stated) continue;
      sessions.push_back(answered[i].session);
      values.push_back((answered[i].*member ? 1.0 : 0.0) -
                       (!before.empty() && before[i].*member ? 1.0 : 0.0));
    }
    return bootstrap_groups(sessions, [&](std::span<const size_t> rows) {
      double sum = 0;
      for (const size_t row : rows) sum += values[row];
      return rows.empty() ? 0 : sum / static_cast<double>(rows.size());
    });
  }

  static Json describe(const std::string& name, const std::vector<Answered>& answered) {
    int stated = 0, unstated = 0, brought = 0, found_and_right = 0, found = 0;
    for (const Answered& each : answered) {
      stated += each.stated;
      unstated += !each.stated;
      brought += !each.stated && each.brought;
      found += each.stated && each.found;
      found_and_right += each.stated && each.found && each.right;
    }
    return {{"what", name},
            {"questions", stated},
            {"written", to_json(share(answered, {}, &Answered::written))},
            {"found", to_json(share(answered, {}, &Answered::found))},
            {"right", to_json(share(answered, {}, &Answered::right))},
            {"right_of_found", static_cast<double>(found_and_right) / std::max(1, found)},
            {"unanswerable", unstated},
            {"brought_in_vain", static_cast<double>(brought) / std::max(1, unstated)}};
  }

  static std::string line_of(const Json& row) {
    const auto interval = [&](const char* name, bool sign) {
      const Json& value = row.at(name);
      return percent({value.at("mean"), value.at("low"), value.at("high")}, sign);
    };
    std::string text = fmt::format(
        "{}: {} questions; written {}, found {}, right {}; right when found {:.1f}; something came "
        "back for {:.1f} % of {} that nothing answers\n",
        row.at("what").get<std::string>(), row.at("questions").get<int>(),
        interval("written", false), interval("found", false), interval("right", false),
        100 * row.at("right_of_found").get<double>(), 100 * row.at("brought_in_vain").get<double>(),
        row.at("unanswerable").get<int>());
    if (row.contains("over"))
      text += fmt::format("  over {}: found {}, right {}\n", row.at("over").get<std::string>(),
                          interval("found_gain", true), interval("right_gain", true));
    return text;
  }

  const RecallBenchOptions& options_;
  const OnFigure& on_figure_;
  std::unique_ptr<Reasoner> reasoner_;
  std::vector<RecallCondition> conditions_;
};

}  // namespace

Json bench_recall(const RecallBenchOptions& options, Config config, int context_cells,
                  const OnFigure& on_figure) {
  config.decoder.context_cells = context_cells > 0 ? context_cells : kRecallCells;
  undisturbed_recall(config.reason);
  return RecallBench(options, config, on_figure).run();
}

}  // namespace polyphon
