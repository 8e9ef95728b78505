#include "grammar/program.h"

#include <fmt/format.h>

#include <unordered_map>

#include "base/error.h"

namespace polyphon {
namespace {

using Op = Instruction::Op;
using Kind = GrammarElement::Kind;

constexpr size_t kMaxInstructions = 4'000'000;
// The matcher recurses as deep.
constexpr size_t kMaxCallDepth = 1000;
// A short repetition of one character is written out: cheaper to match than a counter.
constexpr uint32_t kMaxWrittenOut = 8;

[[noreturn]] void refuse_grammar(const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument, why, "grammar");
}

// Emits from the end backwards: each part is compiled with the place that follows it.
class Compiler {
 public:
  explicit Compiler(const GrammarSyntax& syntax) : syntax_(syntax) {}

  GrammarProgram compile() {
    program_.code.emplace_back();  // kReturn
    program_.rules.resize(syntax_.rules.size());
    program_.root = syntax_.root;
    for (size_t i = 0; i < syntax_.rules.size(); ++i)
      if (!syntax_.rules[i].name.empty())
        program_.rules[i].entry =
            alternatives(syntax_.rules[i].alternatives, GrammarProgram::kReturnPlace);
    return std::move(program_);
  }

 private:
  Place emit(const Instruction& instruction) {
    if (program_.code.size() >= kMaxInstructions)
      refuse_grammar("the grammar is too large: simplify it, or split the request");
    program_.code.push_back(instruction);
    return static_cast<Place>(program_.code.size() - 1);
  }

  uint32_t byte_set(const ByteSet& set) {
    const auto [found, added] =
        set_numbers_.emplace(set, static_cast<uint32_t>(program_.byte_sets.size()));
    if (added) program_.byte_sets.push_back(set);
    return found->second;
  }
  Place bytes(const ByteSet& set, Place next) { return emit({Op::kBytes, byte_set(set), 0, next}); }

  Place split(const std::vector<Place>& places) {
    if (places.size() == 1) return places.front();
    const auto begin = static_cast<uint32_t>(program_.targets.size());
    program_.targets.insert(program_.targets.end(), places.begin(), places.end());
    return emit({Op::kSplit, begin, static_cast<uint32_t>(program_.targets.size()), 0});
  }

  Place alternatives(const std::vector<GrammarSequence>& all, Place next) {
    std::vector<Place> places;
    places.reserve(all.size());
    for (const GrammarSequence& sequence : all) {
      Place place = next;
      for (auto element = sequence.rbegin(); element != sequence.rend(); ++element)
        place = repeated(*element, place);
      places.push_back(place);
    }
    return split(places);
  }

  Place repeated(const GrammarElement& element, Place next) {
    if (element.most == 0) return next;
    if (element.least == 1 && element.most == 1) return once(element, next);
    if (element.least == 0 && element.most == 1) return split({once(element, next), next});
    if (element.least <= 1 && element.most == kUnbounded) return looped(element, next);
    const bool one_character = element.kind == Kind::kClass ||
                               (element.kind == Kind::kLiteral && element.literal.size() == 1);
    if (one_character && element.most <= kMaxWrittenOut) return written_out(element, next);
    const auto repeat = static_cast<uint32_t>(program_.repeats.size());
    program_.repeats.push_back({element.least, element.most, false});
    return emit({Op::kRepeat, once(element, GrammarProgram::kReturnPlace), repeat, next});
  }

  // x* and x+: the body leads back to a choice between itself and what follows.
  Place looped(const GrammarElement& element, Place next) {
    const auto begin = static_cast<uint32_t>(program_.targets.size());
    program_.targets.insert(program_.targets.end(), {0, next});
    const Place choice = emit({Op::kSplit, begin, begin + 2, 0});
    const Place body = once(element, choice);
    program_.targets[begin] = body;
    return element.least == 0 ? choice : body;
  }

  Place written_out(const GrammarElement& element, Place next) {
    Place place = next;
    for (uint32_t i = element.least; i < element.most; ++i)
      place = split({once(element, place), next});
    for (uint32_t i = 0; i < element.least; ++i) place = once(element, place);
    return place;
  }

  Place once(const GrammarElement& element, Place next) {
    switch (element.kind) {
      case Kind::kLiteral:
        return literal(element.literal, next);
      case Kind::kClass:
        return char_class(element.points, next);
      case Kind::kGroup:
        return alternatives(syntax_.rules[element.rule].alternatives, next);
      case Kind::kRule:
        return emit({Op::kCall, element.rule, 0, next});
      case Kind::kToken:
      case Kind::kNotToken:
        break;
    }
    program_.has_tokens = true;
    return emit({element.kind == Kind::kToken ? Op::kToken : Op::kNotToken,
                 static_cast<uint32_t>(element.token), 0, next});
  }

  Place literal(const std::string& text, Place next) {
    for (auto c = text.rbegin(); c != text.rend(); ++c)
      next = bytes(ByteSet().set(static_cast<unsigned char>(*c)), next);
    return next;
  }

  Place char_class(const CodePointSet& points, Place next) {
    ByteSet single;
    std::vector<Place> places;
    for (const ByteSequence& sequence : utf8_sequences(points)) {
      if (sequence.size() == 1) {
        single |= range(sequence[0]);
        continue;
      }
      Place place = next;
      for (auto part = sequence.rbegin(); part != sequence.rend(); ++part)
        place = bytes(range(*part), place);
      places.push_back(place);
    }
    if (single.any() || places.empty()) places.push_back(bytes(single, next));
    return split(places);
  }

  static ByteSet range(ByteRange bytes) {
    ByteSet set;
    for (int byte = bytes.first; byte <= bytes.last; ++byte) set.set(static_cast<size_t>(byte));
    return set;
  }

  const GrammarSyntax& syntax_;
  GrammarProgram program_;
  std::unordered_map<ByteSet, uint32_t> set_numbers_;
};

// Finds which rules and bodies of repetitions may be read as nothing, and refuses left recursion.
// Follows what can be reached without reading a byte, depth first with its own stack: a chain of
// rules may be as long as the grammar.
class LeftEdge {
 public:
  LeftEdge(GrammarProgram& program, const GrammarSyntax& syntax)
      : program_(program), syntax_(syntax), seen_(program.code.size()) {}

  void settle() {
    for (uint32_t rule = 0; rule < program_.rules.size(); ++rule)
      if (!syntax_.rules[rule].name.empty()) visit(program_.rules[rule].entry);
    for (uint32_t rule = 0; rule < program_.rules.size(); ++rule)
      program_.rules[rule].nullable = states_[program_.rules[rule].entry] == State::kNullable;
  }

 private:
  enum class State { kUnknown, kOpen, kNullable, kReads };
  struct Visit {
    Place entry;
    std::vector<Place> waiting;
    bool nullable = false;
  };

  void visit(Place entry) {
    if (states_[entry] != State::kUnknown) return;
    std::vector<Visit> stack;
    const auto open = [&](Place place) {
      if (stack.size() >= kMaxCallDepth)
        refuse_grammar(fmt::format(
            "more than {} rules of the grammar call one another before any text", kMaxCallDepth));
      states_[place] = State::kOpen;
      stack.push_back({place, {place}});
    };
    open(entry);
    while (!stack.empty()) {
      Visit& visit = stack.back();
      if (visit.waiting.empty()) {
        states_[visit.entry] = visit.nullable ? State::kNullable : State::kReads;
        stack.pop_back();
        continue;
      }
      const Place place = visit.waiting.back();
      const Instruction& instruction = program_.code[place];
      const Place callee = instruction.op == Op::kCall     ? program_.rules[instruction.a].entry
                           : instruction.op == Op::kRepeat ? instruction.a
                                                           : GrammarProgram::kReturnPlace;
      // An entry that is kReturn itself is a rule of nothing.
      if (callee != GrammarProgram::kReturnPlace && states_[callee] == State::kUnknown) {
        open(callee);
        continue;
      }
      visit.waiting.pop_back();
      follow(instruction, callee, visit);
    }
  }

  void follow(const Instruction& instruction, Place callee, Visit& visit) {
    const auto go = [&](Place place) {
      if (place == GrammarProgram::kReturnPlace) {
        visit.nullable = true;
      } else if (!seen_[place]) {
        seen_[place] = true;
        visit.waiting.push_back(place);
      }
    };
    switch (instruction.op) {
      case Op::kReturn:
        visit.nullable = true;
        return;
      case Op::kSplit:
        for (uint32_t i = instruction.a; i < instruction.b; ++i) go(program_.targets[i]);
        return;
      case Op::kCall:
      case Op::kRepeat: {
        const bool nothing = callee == GrammarProgram::kReturnPlace;
        if (!nothing && states_[callee] == State::kOpen) refuse_recursion(instruction);
        const bool nullable = nothing || states_[callee] == State::kNullable;
        if (instruction.op == Op::kRepeat && nullable) {
          program_.repeats[instruction.b].least = 0;
          program_.repeats[instruction.b].nullable_body = true;
        }
        if (nullable ||
            (instruction.op == Op::kRepeat && program_.repeats[instruction.b].least == 0))
          go(instruction.next);
        return;
      }
      case Op::kBytes:
      case Op::kToken:
      case Op::kNotToken:
        return;
    }
  }

  [[noreturn]] void refuse_recursion(const Instruction& instruction) const {
    const std::string name =
        instruction.op == Op::kCall ? syntax_.rules[instruction.a].name : std::string("(...)");
    refuse_grammar(
        fmt::format("rule '{}' of the grammar begins with itself: write the repetition as "
                    "x ::= y x | y, or as y+",
                    name));
  }

  GrammarProgram& program_;
  const GrammarSyntax& syntax_;
  std::vector<bool> seen_;  // by place; each place belongs to one entry
  std::unordered_map<Place, State> states_{{GrammarProgram::kReturnPlace, State::kNullable}};
};

}  // namespace

GrammarProgram compile_grammar(const GrammarSyntax& syntax) {
  GrammarProgram program = Compiler(syntax).compile();
  LeftEdge(program, syntax).settle();
  return program;
}

}  // namespace polyphon
