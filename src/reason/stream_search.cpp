#include "reason/stream_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "base/utf8.h"
#include "reason/answer_extraction.h"

namespace polyphon {
namespace {

// Seeds of a session's parts: streams count from 0, re-seeds from 1000, the answer is 2^20.
constexpr uint64_t kSearchSeeds = uint64_t{1} << 24;

}  // namespace

StepValue value_of_step(const ThinkContext& context, const StreamPhase& phase, const Stream& stream,
                        const ThoughtStep& step, std::span<const Token> before, int tokens_left,
                        const std::string& answer, std::vector<std::string> others,
                        std::span<const float> hidden) {
  StepSurroundings around;
  const auto looked_back = before.last(std::min(before.size(), kTokensLookedBack));
  around.before.assign(looked_back.begin(), looked_back.end());
  around.tokens_left = tokens_left;
  around.budget_tokens = stream.budget_tokens;
  around.other_answers = std::move(others);
  for (const Stream& other : phase.streams()) {
    if (answer.empty() || other.id == stream.id) continue;
    const std::string stated = other.ended() ? other.answer : explicit_answer(other.text.text());
    if (!stated.empty()) around.other_answers.push_back(normalise_answer(stated));
  }
  StepValue result;
  result.features = features_of(step, normalise_answer(answer), around);
  result.value = !answer.empty() && context.options.answer_value
                     ? std::clamp(context.options.answer_value(answer), 0.0, 1.0)
                     : value_of(context.heads->value, result.features, hidden);
  return result;
}

StreamSearch::StreamSearch(const ThinkContext& context, StreamPhase& phase, Stream& stream,
                           SearchBudget& budget, int number, std::string trigger)
    : context_(context),
      phase_(phase),
      stream_(stream),
      budget_(budget),
      request_(context.request.search),
      number_(number),
      trigger_(std::move(trigger)),
      began_step_(context.views->step()),
      began_(context.views->now()),
      sampling_(context.views->sampler(stream.sequence)->params()),
      tree_(request_),
      branches_(1) {
  context.views->stop(stream.sequence, false);
  stream.unread = stream.tokens.back();
  branches_.front().sequence = stream.sequence;
  branches_.front().unread = stream.unread;
  context.events->push(SearchBegan{stream.id, number_, trigger_});
}

bool StreamSearch::owns(SequenceNumber sequence) const {
  return std::any_of(decoding_.begin(), decoding_.end(), [&](int leaf) {
    return branches_[static_cast<size_t>(leaf)].sequence == sequence;
  });
}

void StreamSearch::on_token(SequenceNumber sequence, const SampledToken& token) {
  const int leaf = *std::find_if(decoding_.begin(), decoding_.end(), [&](int each) {
    return branches_[static_cast<size_t>(each)].sequence == sequence;
  });
  Branch& branch = branches_[static_cast<size_t>(leaf)];
  SessionViews& views = *context_.views;
  const Vocabulary& vocabulary = context_.vocabulary();
  if (!context_.request.ignore_eos && vocabulary.is_end_of_generation(token.token)) {
    branch.step.end(token.logprob, views.sampler(sequence)->entropy());
    views.stop(sequence, false);
    return finish_branch(branch, true);
  }
  branch.step.add(token.token, vocabulary.piece(token.token, false), token.logprob,
                  views.sampler(sequence)->entropy());
  branch.said.push_back(token);
  const auto hidden = views.hidden(sequence);
  branch.hidden.assign(hidden.begin(), hidden.end());
  const bool full = static_cast<int>(branch.said.size()) >= branch.most_tokens;
  if (!full && !branch.step.complete()) return;
  branch.unread = token.token;
  views.stop(sequence, false);
  finish_branch(branch, false);
}

// The branch will decode nothing more: what is it worth?
void StreamSearch::finish_branch(Branch& branch, bool ended) {
  const auto leaf = static_cast<int>(&branch - branches_.data());
  const std::vector<int> line = tree_.line_to(tree_.nodes()[static_cast<size_t>(leaf)].parent);
  Tokens before(stream_.tokens.end() -
                    static_cast<std::ptrdiff_t>(std::min(stream_.tokens.size(), kTokensLookedBack)),
                stream_.tokens.end());
  for (const int node : line)
    for (const SampledToken& said : branches_[static_cast<size_t>(node)].said)
      before.push_back(said.token);
  std::vector<std::string> others;
  for (const SearchTree::Node& node : tree_.nodes())
    if (node.valued && !node.outcome.answer.empty())
      others.push_back(normalise_answer(node.outcome.answer));

  const std::string path =
      tree_.nodes()[line.empty() ? 0 : static_cast<size_t>(line.back())].path_text +
      branch.step.text;
  LeafOutcome& outcome = branch.outcome;
  outcome.answer = explicit_answer(path);
  if (ended && outcome.answer.empty()) outcome.answer = extract_answer(stream_.text.text() + path);
  const int left =
      stream_.tokens_left() - branch.path_tokens - static_cast<int>(branch.said.size());
  const StepValue worth =
      value_of_step(context_, phase_, stream_, branch.step, before, left, outcome.answer,
                    std::move(others), context_.views->hidden(branch.sequence));
  outcome.value = worth.value;
  outcome.features = worth.features;
  outcome.text = branch.step.text;
  outcome.tokens = static_cast<int>(branch.said.size());
  outcome.mean_logprob = branch.step.mean_logprob();
  outcome.ended = ended;
  outcome.terminal = ended || !outcome.answer.empty() || left <= 0;
  branch.path_tokens += outcome.tokens;
  branch.ended = ended;
  branch.done = true;
}

void StreamSearch::drop(Branch& branch) {
  if (branch.sequence < 0) return;
  ms_ += context_.views->compute_ms(branch.sequence);
  context_.views->close(branch.sequence);
  branch.sequence = -1;
  ++budget_.sequences_left;
}

// It decodes no more: it read its parent's last token and all its own but its last, which is read
// only if it ended the turn. What it did not use of what was set aside goes back.
void StreamSearch::account(const Branch& branch) {
  const int decoded = static_cast<int>(branch.said.size()) + (branch.ended ? 1 : 0);
  tokens_ += decoded;
  budget_.tokens_left += branch.most_tokens - decoded;
}

// Gives the tree what has ended, in the order it was begun.
void StreamSearch::settle() {
  for (const int leaf : std::exchange(decoding_, {})) {
    Branch& branch = branches_[static_cast<size_t>(leaf)];
    if (!branch.done) {
      decoding_.push_back(leaf);
      continue;
    }
    account(branch);
    if (tree_.finish_leaf(leaf, branch.outcome) != leaf) drop(branch);
  }
}

bool StreamSearch::prune() {
  const int leaf = tree_.least_visited_leaf();
  if (leaf < 0) return false;
  tree_.prune(leaf);
  drop(branches_[static_cast<size_t>(leaf)]);
  return true;
}

const char* StreamSearch::begin_branches() {
  const char* why = nullptr;
  bool revisits = true;  // once a step: what is known must not eat up what could be learned
  while (!why && tree_.leaves_waiting() < request_.parallel_leaves) {
    if (tree_.simulations() + tree_.leaves_waiting() >= request_.simulations) {
      why = "simulations";
    } else if (budget_.sequences_left == 0 && !prune()) {
      why = "sequences";
    } else if (const auto next = tree_.select(revisits || tree_.leaves_waiting() == 0); !next) {
      why = "nothing left";
    } else if (next->expands) {
      why = begin_branch(next->path);
    } else {
      tree_.revisit(next->path);
      revisits = false;
    }
  }
  return tree_.leaves_waiting() > 0 ? nullptr : why;
}

const char* StreamSearch::begin_branch(const std::vector<int>& path) {
  const int parent = path.back();
  const int left = stream_.tokens_left() - branches_[static_cast<size_t>(parent)].path_tokens;
  const int most = std::min(request_.step_tokens, left);
  POLYPHON_CHECK(most > 0);
  if (budget_.tokens_left < most) return "tokens";

  SessionViews& views = *context_.views;
  const int leaf = tree_.begin_leaf(path);
  Branch& branch = branches_.emplace_back();
  const Branch& from = branches_[static_cast<size_t>(parent)];
  branch.most_tokens = most;
  branch.path_tokens = from.path_tokens;
  branch.sequence = views.open();
  budget_.tokens_left -= most;
  --budget_.sequences_left;
  decoding_.push_back(leaf);

  const std::string owner = fmt::format("search {}.{} node {}", stream_.id, number_, leaf);
  views.join(from.sequence, branch.sequence, 0, views.end_position(from.sequence));
  views.feed(branch.sequence, {*from.unread}, owner, stream_.strategy.name);
  SamplingParams sampling = sampling_;
  sampling.temperature = std::max(sampling.temperature, static_cast<float>(request_.temperature));
  sampling.seed = derive_seed(derive_seed(sampling_.seed, kSearchSeeds + number_), leaf);
  auto sampler = std::make_unique<Sampler>(sampling, nullptr, true);
  sampler->observe(stream_.tokens);
  for (const int node : tree_.line_to(parent))
    sampler->observe(branches_[static_cast<size_t>(node)].step.tokens);
  sampler->measure_entropy();
  views.generate(branch.sequence, std::move(sampler), owner, stream_.strategy.name);
  return nullptr;
}

bool StreamSearch::out_of_time() const {
  if (request_.milliseconds == 0) return false;
  if (!request_.replays_clock)
    return milliseconds_between(began_, context_.views->now()) >= request_.milliseconds;
  return std::any_of(
      request_.clock_ends.begin(), request_.clock_ends.end(), [&](const ClockEnd& end) {
        return end.stream == stream_.id && end.search == number_ && end.steps == steps_;
      });
}

void StreamSearch::after_step() {
  if (over_) return;
  if (!decoding_.empty()) {
    ++steps_;
    rows_ += static_cast<int>(decoding_.size());
  }
  if (stream_.ended()) return abandon();
  settle();
  if (out_of_time()) return finish("milliseconds");
  if (const char* const why = begin_branches()) finish(why);
}

void StreamSearch::finish(const std::string& why) {
  SessionViews& views = *context_.views;
  const int node = tree_.most_visited_node();
  std::vector<SampledToken> said;
  std::string text;
  for (const int each : tree_.line_to(node)) {
    const Branch& branch = branches_[static_cast<size_t>(each)];
    said.insert(said.end(), branch.said.begin(), branch.said.end());
    text += branch.step.text;
  }
  const Branch& last = branches_[static_cast<size_t>(node)];
  if (node != 0)
    views.join(last.sequence, stream_.sequence, views.end_position(stream_.sequence),
               views.end_position(last.sequence));
  const std::vector<float> hidden = last.hidden;
  const bool ended = last.ended;
  const std::optional<Token> unread = last.unread;
  drop_all();
  report_on(why, text, static_cast<int>(said.size()));
  context_.events->push(SearchEnded{stream_.id, number_, tree_.simulations(), tokens_,
                                    static_cast<int>(said.size()),
                                    report_.at("leaves_per_step").get<double>()});
  stream_.unread = ended ? std::nullopt : unread;
  if (node != 0) phase_.go_on(stream_, said, hidden, ended ? &sampling_ : nullptr);
  if (stream_.searching()) resume();
}

void StreamSearch::resume() {
  SamplingParams sampling = sampling_;
  sampling.seed = derive_seed(sampling_.seed, 2 * kSearchSeeds + number_);
  context_.views->feed(stream_.sequence, {*std::exchange(stream_.unread, std::nullopt)},
                       fmt::format("stream {}", stream_.id), stream_.strategy.name);
  generate(context_, stream_, sampling);
}

void StreamSearch::abandon() {
  if (over_) return;
  drop_all();
  report_on("the stream ended", "", 0);
}

void StreamSearch::drop_all() {
  for (const int leaf : decoding_) {
    account(branches_[static_cast<size_t>(leaf)]);
    tree_.abandon_leaf(leaf);
  }
  decoding_.clear();
  for (size_t i = 1; i < branches_.size(); ++i) drop(branches_[i]);
  over_ = true;
}

void StreamSearch::report_on(const std::string& why, const std::string& text, int committed) {
  report_ = {{"stream", stream_.id},
             {"search", number_},
             {"trigger", trigger_},
             {"step", began_step_},
             {"steps", steps_},
             {"why_ended", why},
             {"simulations", tree_.simulations()},
             {"tokens", tokens_},
             {"committed_tokens", committed},
             {"leaves_per_step", steps_ == 0 ? 0 : static_cast<double>(rows_) / steps_},
             {"waste", tokens_ == 0 ? 0 : 1 - static_cast<double>(committed) / tokens_},
             {"ms", ms_},
             {"text", sanitize_utf8(text)}};
  context_.decide("search_ended", {{"stream", stream_.id},
                                   {"search", number_},
                                   {"why", why},
                                   {"steps", steps_},
                                   {"simulations", tree_.simulations()},
                                   {"tokens", tokens_},
                                   {"committed_tokens", committed}});
  report_["tree"] = tree_.to_json();
}

}  // namespace polyphon
