// Runs a compiled grammar over bytes. A state is the set of all ways to read the text so far; equal
// states have equal numbers, so that each transition is computed once and then looked up (a DFA
// that is built as it is needed, over the stacks of a pushdown automaton).
//
// The ways are kept apart only where they can still differ: stacks with the same top are merged, so
// that an ambiguous grammar costs polynomial and not exponential time (the graph-structured stack
// of Tomita, "Efficient Parsing for Natural Language", 1986). What remains is bounded by a budget.
//
// Not thread-safe; matchers of one program may run on different threads.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "grammar/program.h"

namespace polyphon {

// The grammar is so ambiguous that the next token would cost too much time or memory.
class GrammarBudgetExceeded : public std::exception {
 public:
  const char* what() const noexcept override {
    return "the grammar is too ambiguous: its next token costs more than the limit";
  }
};

class Matcher {
 public:
  using State = uint32_t;
  // Nothing may follow, and the text may not end either.
  static constexpr State kDead = 0;

  explicit Matcher(std::shared_ptr<const GrammarProgram> program);

  State start() const { return start_; }
  // The text may end here.
  bool accepts(State state) const { return states_[state].accepts; }

  // Both throw GrammarBudgetExceeded.
  State after(State state, uint8_t byte);
  // After a token that the grammar names, such as <think>. kDead if it does not name this one here.
  State after_token(State state, Token token);
  // All that either state may be.
  State either(State a, State b);
  // Whether a named token may come next.
  bool names_tokens(State state) const { return states_[state].names_tokens; }

  // Begins a new budget: about 10 million steps, a fraction of a second. Called before the work for
  // one token. Forgets what was computed when it takes more than 64 MiB; then every state that the
  // caller holds is void but the one returned, which stands for `state`.
  State renew_budget(State state);
  // How often states were made void.
  int generation() const { return generation_; }

 private:
  using Tail = uint32_t;     // an interned set of stacks
  using Context = uint32_t;  // a Tail, or with kLocal a rule that was entered in this closure
  static constexpr uint32_t kLocal = 1u << 31;
  static constexpr Place kBottom = 0xFFFFFFFF;
  static constexpr State kUnknown = 0xFFFFFFFF;

  // Where to go on when what stands above is over, and how often a repetition has run.
  struct Frame {
    Place place;
    uint32_t count;
    Tail tail;
    bool operator==(const Frame&) const = default;
    auto operator<=>(const Frame&) const = default;
  };
  // An instruction that reads, and the stacks below it.
  struct Item {
    Place place;
    Tail tail;
    bool operator==(const Item&) const = default;
    auto operator<=>(const Item&) const = default;
  };
  struct StateData {
    std::vector<Item> items;
    bool accepts = false;
    bool names_tokens = false;
    std::unique_ptr<State[]> next;  // [256], kUnknown where not computed
  };
  struct Parent {
    Place place;  // kReturnPlace: the caller is over too
    uint32_t count;
    Context context;
    bool repeats;  // the rule is the body of the repetition at `place`
    bool operator==(const Parent&) const = default;
  };
  struct Entered {
    Place entry;
    std::vector<Parent> parents;
    bool over = false;  // may be read as nothing, and has been
    Tail tail = kUnresolved;
  };
  static constexpr Tail kUnresolved = 0xFFFFFFFF;
  struct Task {
    Place place;
    uint32_t count;
    Context context;
    bool operator==(const Task&) const = default;
  };

  void reset();
  void spend(uint64_t steps, uint64_t bytes);
  State closure(std::span<const Task> seeds);
  void run(const Task& task);
  void add(Place place, uint32_t count, Context context);
  void enter(Place entry, const Parent& parent);
  void end(Context context);
  void resume(const Parent& parent);
  Tail resolve(Context context);

  Tail intern_tail(std::vector<Frame> frames);
  State intern_state(std::vector<Item> items, bool accepts);
  Tail unite(Tail a, Tail b, int depth = 0);
  std::vector<Frame> merged(std::vector<Frame> frames, int depth);
  Tail copied(Tail tail, const std::vector<std::vector<Frame>>& from,
              std::unordered_map<Tail, Tail>& copies);

  const std::shared_ptr<const GrammarProgram> program_;
  std::vector<std::vector<Frame>> tails_;
  std::vector<StateData> states_;
  std::unordered_multimap<uint64_t, Tail> tail_numbers_;
  std::unordered_multimap<uint64_t, State> state_numbers_;
  std::unordered_map<uint64_t, Tail> unions_;
  State start_ = kDead;
  uint64_t bytes_ = 0;  // of all that is kept, about
  uint64_t steps_left_ = 0;
  int generation_ = 0;

  // Of the closure that runs.
  std::vector<Task> waiting_;
  std::vector<Task> seen_few_;  // the first: most closures have no more
  std::unordered_map<uint64_t, std::vector<Task>> seen_many_;
  std::vector<Entered> entered_;
  std::unordered_map<Place, uint32_t> entered_numbers_;
  std::vector<std::pair<Place, Context>> reached_;
  bool accepts_ = false;
};

}  // namespace polyphon
