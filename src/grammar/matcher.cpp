#include "grammar/matcher.h"

#include <algorithm>

#include "base/check.h"

namespace polyphon {
namespace {

using Op = Instruction::Op;

constexpr uint64_t kStepsPerToken = 10'000'000;
constexpr uint64_t kKeptBytes = 64 << 20;
constexpr uint64_t kMostBytes = 512 << 20;  // while one token is computed
constexpr int kMaxUnionDepth = 2000;

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15;
  return hash ^ (hash >> 29);
}

}  // namespace

Matcher::Matcher(std::shared_ptr<const GrammarProgram> program) : program_(std::move(program)) {
  steps_left_ = kStepsPerToken;
  reset();
  const Task begin{program_->rules[program_->root].entry, 0, 0};
  start_ = closure({&begin, 1});
}

// Tail 0 is the bottom of the stack, state 0 the dead one.
void Matcher::reset() {
  tails_.clear();
  states_.clear();
  tail_numbers_.clear();
  state_numbers_.clear();
  unions_.clear();
  bytes_ = 0;
  intern_tail({{kBottom, 0, 0}});
  intern_state({}, false);
}

void Matcher::spend(uint64_t steps, uint64_t bytes) {
  bytes_ += bytes;
  if (steps > steps_left_ || bytes_ > kMostBytes) throw GrammarBudgetExceeded();
  steps_left_ -= steps;
}

Matcher::State Matcher::renew_budget(State state) {
  steps_left_ = kStepsPerToken;
  if (bytes_ <= kKeptBytes) return state;
  const auto old_tails = std::move(tails_);
  const std::vector<Item> old_start = std::move(states_[start_].items);
  const bool start_accepts = states_[start_].accepts;
  const std::vector<Item> old_items = state == start_ ? old_start : std::move(states_[state].items);
  const bool accepts = states_[state].accepts;
  reset();
  ++generation_;
  std::unordered_map<Tail, Tail> copies{{0, 0}};
  const auto copy = [&](std::vector<Item> items, bool accepting) {
    for (Item& item : items) item.tail = copied(item.tail, old_tails, copies);
    return intern_state(std::move(items), accepting);
  };
  start_ = copy(old_start, start_accepts);
  return state == kDead ? kDead : copy(old_items, accepts);
}

// A tail's frames have lower numbers than the tail itself: they were interned before it.
Matcher::Tail Matcher::copied(Tail tail, const std::vector<std::vector<Frame>>& from,
                              std::unordered_map<Tail, Tail>& copies) {
  std::vector<Tail> waiting{tail};
  while (!waiting.empty()) {
    const Tail next = waiting.back();
    if (copies.contains(next)) {
      waiting.pop_back();
      continue;
    }
    const size_t before = waiting.size();
    for (const Frame& frame : from[next])
      if (!copies.contains(frame.tail)) waiting.push_back(frame.tail);
    if (waiting.size() != before) continue;
    std::vector<Frame> frames = from[next];
    for (Frame& frame : frames) frame.tail = copies.at(frame.tail);
    std::sort(frames.begin(), frames.end());
    copies[next] = intern_tail(std::move(frames));
    waiting.pop_back();
  }
  return copies.at(tail);
}

Matcher::State Matcher::after(State state, uint8_t byte) {
  if (states_[state].next && states_[state].next[byte] != kUnknown)
    return states_[state].next[byte];
  std::vector<Task> seeds;
  for (const Item& item : states_[state].items) {
    const Instruction& instruction = program_->code[item.place];
    if (instruction.op == Op::kBytes && program_->byte_sets[instruction.a].test(byte))
      seeds.push_back({instruction.next, 0, item.tail});
  }
  spend(1 + states_[state].items.size(), 0);
  const State result = seeds.empty() ? kDead : closure(seeds);
  std::unique_ptr<State[]>& next = states_[state].next;
  if (!next) {
    spend(0, 256 * sizeof(State));
    next = std::make_unique<State[]>(256);
    std::fill_n(next.get(), 256, kUnknown);
  }
  return next[byte] = result;
}

Matcher::State Matcher::after_token(State state, Token token) {
  std::vector<Task> seeds;
  for (const Item& item : states_[state].items) {
    const Instruction& instruction = program_->code[item.place];
    const bool named = instruction.a == static_cast<uint32_t>(token);
    if ((instruction.op == Op::kToken && named) || (instruction.op == Op::kNotToken && !named))
      seeds.push_back({instruction.next, 0, item.tail});
  }
  return seeds.empty() ? kDead : closure(seeds);
}

Matcher::State Matcher::either(State a, State b) {
  if (a == kDead || a == b) return b;
  if (b == kDead) return a;
  std::vector<Item> items = states_[a].items;
  items.insert(items.end(), states_[b].items.begin(), states_[b].items.end());
  return intern_state(std::move(items), states_[a].accepts || states_[b].accepts);
}

// All that can be reached without reading. Rules entered on the way are shared: each is walked
// once, whoever calls it, and knows its callers as parents. They form no circle, since left
// recursion was refused, and so become interned tails when all is done.
Matcher::State Matcher::closure(std::span<const Task> seeds) {
  waiting_.clear();
  seen_few_.clear();
  seen_many_.clear();
  entered_.clear();
  entered_numbers_.clear();
  reached_.clear();
  accepts_ = false;
  for (const Task& seed : seeds) add(seed.place, seed.count, seed.context);
  while (!waiting_.empty()) {
    const Task task = waiting_.back();
    waiting_.pop_back();
    spend(1, 0);
    run(task);
  }
  std::vector<Item> items;
  items.reserve(reached_.size());
  for (const auto& [place, context] : reached_) items.push_back({place, resolve(context)});
  return intern_state(std::move(items), accepts_);
}

void Matcher::add(Place place, uint32_t count, Context context) {
  const Task task{place, count, context};
  constexpr size_t kFew = 24;
  const auto has = [&](const std::vector<Task>& tasks) {
    return std::find(tasks.begin(), tasks.end(), task) != tasks.end();
  };
  if (has(seen_few_)) return;
  std::vector<Task>& seen =
      seen_few_.size() < kFew ? seen_few_ : seen_many_[mix(mix(mix(0, place), count), context)];
  if (&seen != &seen_few_ && has(seen)) return;
  seen.push_back(task);
  waiting_.push_back(task);
}

void Matcher::run(const Task& task) {
  const Instruction& instruction = program_->code[task.place];
  switch (instruction.op) {
    case Op::kReturn:
      return end(task.context);
    case Op::kBytes:
    case Op::kToken:
    case Op::kNotToken:
      reached_.emplace_back(task.place, task.context);
      return;
    case Op::kSplit:
      for (uint32_t i = instruction.a; i < instruction.b; ++i)
        add(program_->targets[i], 0, task.context);
      return;
    case Op::kCall:
      return enter(program_->rules[instruction.a].entry,
                   {instruction.next, 0, task.context, false});
    case Op::kRepeat: {
      const GrammarProgram::Repeat& repeat = program_->repeats[instruction.b];
      if (task.count < repeat.most) {
        const uint32_t more =
            repeat.most == kUnbounded ? std::min(task.count + 1, repeat.least) : task.count + 1;
        enter(instruction.a, {task.place, more, task.context, true});
      }
      if (task.count >= repeat.least) add(instruction.next, 0, task.context);
      return;
    }
  }
}

void Matcher::enter(Place entry, const Parent& parent) {
  if (entry == GrammarProgram::kReturnPlace) return resume(parent);
  const auto [found, added] =
      entered_numbers_.emplace(entry, static_cast<uint32_t>(entered_.size()));
  if (added) {
    entered_.push_back({entry, {}});
    add(entry, 0, found->second | kLocal);
  }
  Entered& rule = entered_[found->second];
  spend(1 + rule.parents.size() / 8, 0);
  if (std::find(rule.parents.begin(), rule.parents.end(), parent) != rule.parents.end()) return;
  rule.parents.push_back(parent);
  if (rule.over) resume(parent);
}

void Matcher::end(Context context) {
  if (context & kLocal) {
    Entered& rule = entered_[context & ~kLocal];
    if (rule.over) return;
    rule.over = true;
    for (size_t i = 0; i < rule.parents.size(); ++i) resume(rule.parents[i]);
    return;
  }
  for (const Frame& frame : tails_[context]) {
    if (frame.place == kBottom)
      accepts_ = true;
    else
      add(frame.place, frame.count, frame.tail);
  }
}

// Nothing was read since the parent was left. A repetition need not run again for nothing: it may
// end without.
void Matcher::resume(const Parent& parent) {
  if (!parent.repeats) add(parent.place, parent.count, parent.context);
}

Matcher::Tail Matcher::resolve(Context context) {
  if (!(context & kLocal)) return context;
  const uint32_t number = context & ~kLocal;
  if (entered_[number].tail != kUnresolved) return entered_[number].tail;
  std::vector<Frame> frames;
  for (size_t i = 0; i < entered_[number].parents.size(); ++i) {
    const Parent parent = entered_[number].parents[i];
    const Tail tail = resolve(parent.context);
    if (parent.place == GrammarProgram::kReturnPlace)
      frames.insert(frames.end(), tails_[tail].begin(), tails_[tail].end());
    else
      frames.push_back({parent.place, parent.count, tail});
  }
  return entered_[number].tail = intern_tail(merged(std::move(frames), 0));
}

// Sorted, with one frame for each place and count.
std::vector<Matcher::Frame> Matcher::merged(std::vector<Frame> frames, int depth) {
  std::sort(frames.begin(), frames.end());
  std::vector<Frame> result;
  for (const Frame& frame : frames) {
    if (!result.empty() && result.back().place == frame.place && result.back().count == frame.count)
      result.back().tail = unite(result.back().tail, frame.tail, depth + 1);
    else
      result.push_back(frame);
  }
  return result;
}

Matcher::Tail Matcher::unite(Tail a, Tail b, int depth) {
  if (a == b) return a;
  if (depth > kMaxUnionDepth) throw GrammarBudgetExceeded();
  if (a > b) std::swap(a, b);
  const uint64_t key = (static_cast<uint64_t>(a) << 32) | b;
  if (const auto found = unions_.find(key); found != unions_.end()) return found->second;
  std::vector<Frame> frames = tails_[a];
  frames.insert(frames.end(), tails_[b].begin(), tails_[b].end());
  spend(frames.size(), 48);
  const Tail united = intern_tail(merged(std::move(frames), depth));
  unions_.emplace(key, united);
  return united;
}

Matcher::Tail Matcher::intern_tail(std::vector<Frame> frames) {
  uint64_t hash = frames.size();
  for (const Frame& frame : frames)
    hash = mix(mix(mix(hash, frame.place), frame.count), frame.tail);
  const auto [begin, end] = tail_numbers_.equal_range(hash);
  for (auto at = begin; at != end; ++at)
    if (tails_[at->second] == frames) return at->second;
  spend(1 + frames.size(), 96 + frames.size() * sizeof(Frame));
  const auto number = static_cast<Tail>(tails_.size());
  tails_.push_back(std::move(frames));
  tail_numbers_.emplace(hash, number);
  return number;
}

Matcher::State Matcher::intern_state(std::vector<Item> items, bool accepts) {
  std::sort(items.begin(), items.end());
  size_t kept = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (kept > 0 && items[kept - 1].place == items[i].place)
      items[kept - 1].tail = unite(items[kept - 1].tail, items[i].tail);
    else
      items[kept++] = items[i];
  }
  items.resize(kept);
  uint64_t hash = mix(accepts ? 1 : 0, items.size());
  for (const Item& item : items) hash = mix(mix(hash, item.place), item.tail);
  const auto [begin, end] = state_numbers_.equal_range(hash);
  for (auto at = begin; at != end; ++at)
    if (states_[at->second].accepts == accepts && states_[at->second].items == items)
      return at->second;
  spend(1 + items.size(), 128 + items.size() * sizeof(Item));
  const auto number = static_cast<State>(states_.size());
  StateData& state = states_.emplace_back();
  state.accepts = accepts;
  state.names_tokens =
      program_->has_tokens && std::any_of(items.begin(), items.end(), [&](const Item& item) {
        return program_->code[item.place].op != Op::kBytes;
      });
  state.items = std::move(items);
  state_numbers_.emplace(hash, number);
  return number;
}

}  // namespace polyphon
