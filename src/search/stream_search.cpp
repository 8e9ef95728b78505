#include "search/stream_search.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "base/utf8.h"
#include "core/seeds.h"
#include "text/answer_extraction.h"

namespace polyphon {

StreamSearch::StreamSearch(const ThinkContext& context, StreamPhase& phase, Stream& stream,
                           SearchBudget& budget, int number, SearchCause trigger)
    : context_(context),
      phase_(phase),
      stream_(stream),
      budget_(budget),
      request_(context.request.search),
      number_(number),
      began_(context.views->now()),
      sampling_(context.views->sampler(stream.sequence)->params()),
      tree_(request_),
      branches_(1) {
  result_.stream = stream.id;
  result_.search = number;
  result_.trigger = trigger;
  result_.step = context.views->step();
  result_.from_byte = stream.text.text().size();
  context.views->stop(stream.sequence, false);
  stream.unread = stream.tokens.back();
  branches_.front().sequence = stream.sequence;
  branches_.front().unread = stream.unread;
  context.events->push(SearchBegan{stream.id, number_, result_.trigger});
}

bool StreamSearch::owns(SequenceNumber sequence) const {
  if (playouts_ && playouts_->owns(sequence)) return true;
  return std::any_of(decoding_.begin(), decoding_.end(), [&](int leaf) {
    return branches_[static_cast<size_t>(leaf)].sequence == sequence;
  });
}

void StreamSearch::on_token(SequenceNumber sequence, const SampledToken& token) {
  if (playouts_) return playouts_->on_token(sequence, token);
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

void StreamSearch::append_line(const std::vector<int>& line, Tokens& said) const {
  for (const int node : line) {
    const Tokens& tokens = branches_[static_cast<size_t>(node)].step.tokens;
    said.insert(said.end(), tokens.begin(), tokens.end());
  }
}

// Values a branch that has sampled its last token.
void StreamSearch::finish_branch(Branch& branch, bool ended) {
  const auto leaf = static_cast<int>(&branch - branches_.data());
  const std::vector<int> line = tree_.line_to(tree_.nodes()[static_cast<size_t>(leaf)].parent);
  Tokens before = stream_.tokens;
  append_line(line, before);
  double logprob_sum = stream_.logprob_sum + branch.step.logprob_sum;
  double choices = static_cast<double>(stream_.tokens.size()) + branch.step.choices();
  for (const int node : line) {
    logprob_sum += branches_[static_cast<size_t>(node)].step.logprob_sum;
    choices += branches_[static_cast<size_t>(node)].step.choices();
  }

  const std::string path =
      tree_.nodes()[line.empty() ? 0 : static_cast<size_t>(line.back())].path_text +
      branch.step.text;
  LeafOutcome& outcome = branch.outcome;
  outcome.answer = explicit_answer(path);
  if (ended && outcome.answer.empty()) outcome.answer = extract_answer(stream_.text.text() + path);
  const int left =
      stream_.tokens_left() - branch.path_tokens - static_cast<int>(branch.said.size());
  StepPlace place{before, logprob_sum / choices, left, outcome.answer};
  for (const SearchTree::Node& node : tree_.nodes())
    if (node.valued && !node.outcome.answer.empty())
      place.other_answers.push_back(normalise_answer(node.outcome.answer));
  const StepValue worth = value_of_step(context_, phase_, stream_, branch.step, std::move(place),
                                        context_.views->hidden(branch.sequence));
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
  result_.ms += context_.views->compute_ms(branch.sequence);
  context_.views->close(branch.sequence);
  branch.sequence = -1;
  ++budget_.sequences_left;
}

// Counts the tokens of a finished branch and returns the unused rest of its reserve. The branch
// decoded its parent's last token and its own tokens; its last token is decoded only if an end of
// turn was sampled after it.
void StreamSearch::account(const Branch& branch) {
  const int decoded = static_cast<int>(branch.said.size()) + (branch.ended ? 1 : 0);
  result_.tokens += decoded;
  budget_.tokens_left += branch.most_tokens - decoded;
}

// Gives finished leaves to the tree, in the order they began.
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

std::optional<SearchEnd> StreamSearch::begin_branches() {
  std::optional<SearchEnd> why;
  bool revisits = true;  // one revisit a step, so that known leaves do not use up the simulations
  while (!why && tree_.leaves_waiting() < request_.parallel_leaves) {
    if (tree_.simulations() + tree_.leaves_waiting() >= request_.simulations) {
      why = SearchEnd::kSimulations;
    } else if (budget_.sequences_left == 0 && !prune()) {
      why = SearchEnd::kSequences;
    } else if (const auto next = tree_.select(revisits || tree_.leaves_waiting() == 0); !next) {
      why = SearchEnd::kNothingLeft;
    } else if (next->expands) {
      why = begin_branch(next->path);
    } else {
      tree_.revisit(next->path);
      revisits = false;
    }
  }
  return tree_.leaves_waiting() > 0 ? std::nullopt : why;
}

std::optional<SearchEnd> StreamSearch::begin_branch(const std::vector<int>& path) {
  const int parent = path.back();
  const int left = stream_.tokens_left() - branches_[static_cast<size_t>(parent)].path_tokens;
  const int most = std::min(request_.step_tokens, left);
  POLYPHON_CHECK(most > 0);
  if (budget_.tokens_left < most) return SearchEnd::kTokens;

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

  const auto owner = SpanOwner::of_search(SpanKind::kBranch, stream_.id, number_, leaf);
  views.join(from.sequence, branch.sequence, 0, views.end_position(from.sequence));
  views.feed(branch.sequence, {*from.unread}, owner, stream_.strategy.name);
  SamplingParams sampling = sampling_;
  sampling.temperature = std::max(sampling.temperature, static_cast<float>(request_.temperature));
  sampling.seed = seeds::kNodes.of(seeds::kSearches.of(sampling_.seed, number_), leaf);
  auto sampler = std::make_unique<Sampler>(sampling, nullptr, true);
  Tokens said = stream_.tokens;
  append_line(tree_.line_to(parent), said);
  sampler->observe(said);
  sampler->measure_entropy();
  views.generate(branch.sequence, std::move(sampler), owner, stream_.strategy.name);
  return std::nullopt;
}

bool StreamSearch::out_of_time() const {
  if (request_.milliseconds == 0) return false;
  if (!request_.replays_clock)
    return milliseconds_between(began_, context_.views->now()) >= request_.milliseconds;
  return std::any_of(
      request_.clock_ends.begin(), request_.clock_ends.end(), [&](const ClockEnd& end) {
        return end.stream == stream_.id && end.search == number_ && end.steps == result_.steps;
      });
}

void StreamSearch::after_step() {
  if (over_) return;
  if (!decoding_.empty()) {
    ++result_.steps;
    rows_ += static_cast<int>(decoding_.size());
  }
  if (stream_.ended()) return abandon();
  if (playouts_) {
    if (!playouts_->after_step()) commit();
    return;
  }
  settle();
  if (out_of_time()) return end_tree(SearchEnd::kClock);
  if (const auto why = begin_branches()) end_tree(*why);
}

void StreamSearch::end_tree(SearchEnd why) {
  stop_decoding();
  result_.why_ended = why;
  if (request_.plays_out)
    playouts_.emplace(context_, stream_, budget_, sampling_, number_, states());
  if (!playouts_ || !playouts_->after_step()) commit();
}

// The states that may continue and whose cells are still there.
std::vector<BranchPlayouts::State> StreamSearch::states() const {
  std::vector<BranchPlayouts::State> states;
  for (size_t i = 1; i < branches_.size(); ++i) {
    const Branch& branch = branches_[i];
    if (branch.sequence < 0 || branch.outcome.terminal) continue;
    const auto node = static_cast<int>(i);
    Tokens said = stream_.tokens;
    append_line(tree_.line_to(node), said);
    states.push_back({node, branch.sequence, *branch.unread, std::move(said),
                      stream_.tokens_left() - branch.path_tokens});
  }
  return states;
}

void StreamSearch::commit() {
  SessionViews& views = *context_.views;
  const int node = tree_.most_visited_node();
  std::vector<SampledToken> said;
  for (const int each : tree_.line_to(node)) {
    const Branch& branch = branches_[static_cast<size_t>(each)];
    said.insert(said.end(), branch.said.begin(), branch.said.end());
    committed_ += branch.step.text;
  }
  const Branch& last = branches_[static_cast<size_t>(node)];
  if (node != 0)
    views.join(last.sequence, stream_.sequence, views.end_position(stream_.sequence),
               views.end_position(last.sequence));
  const std::vector<float> hidden = last.hidden;
  const bool ended = last.ended;
  const std::optional<Token> unread = last.unread;
  result_.committed_tokens = static_cast<int>(said.size());
  end();
  context_.events->push(SearchEnded{stream_.id, number_, result_.simulations, result_.tokens,
                                    result_.committed_tokens, leaves_per_step()});
  stream_.unread = ended ? std::nullopt : unread;
  if (node != 0) phase_.go_on(stream_, said, hidden, ended ? &sampling_ : nullptr);
  if (stream_.searching()) resume();
}

void StreamSearch::resume() {
  SamplingParams sampling = sampling_;
  sampling.seed = seeds::kAfterSearches.of(sampling_.seed, number_);
  context_.views->feed(stream_.sequence, {*std::exchange(stream_.unread, std::nullopt)},
                       SpanOwner::of_stream(SpanKind::kStream, stream_.id), stream_.strategy.name);
  generate(context_, stream_, sampling);
}

void StreamSearch::abandon() {
  if (over_) return;
  stop_decoding();
  result_.why_ended = SearchEnd::kStreamEnded;
  end();
}

void StreamSearch::stop_decoding() {
  for (const int leaf : std::exchange(decoding_, {})) {
    Branch& branch = branches_[static_cast<size_t>(leaf)];
    account(branch);
    tree_.abandon_leaf(leaf);
    drop(branch);
  }
}

// Drops all branches and records the result.
void StreamSearch::end() {
  if (playouts_) playouts_->abandon();
  for (size_t i = 1; i < branches_.size(); ++i) drop(branches_[i]);
  over_ = true;
  result_.simulations = tree_.simulations();
  result_.leaves_per_step = leaves_per_step();
  result_.waste = share_wasted(result_.tokens, result_.committed_tokens);
  result_.text = sanitize_utf8(committed_);
  context_.decide(SearchEnding{result_.stream, result_.search, result_.why_ended, result_.steps,
                               result_.simulations, result_.tokens, result_.committed_tokens});
  result_.tree = tree_.report();
  if (!playouts_) return;
  result_.playout_tokens = playouts_->tokens();
  for (SearchNode& node : result_.tree)
    if (const auto said = playouts_->texts().find(node.id); said != playouts_->texts().end())
      node.playout = sanitize_utf8(said->second);
}

double StreamSearch::leaves_per_step() const {
  return result_.steps == 0 ? 0 : static_cast<double>(rows_) / result_.steps;
}

}  // namespace polyphon
