// SpanOwner says who wrote the tokens of a span; NoteSource says who wrote a note. Plain data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "record/names.h"

namespace polyphon {

enum class SpanKind {
  kPrompt,
  kPlanState,    // the prompt's last token, decoded again to get the state for the topology head
  kPlan,         // the turn in which the model states a topology
  kPreamble,     // the words of the strategy, fed at the start of a stream
  kStream,       // what a stream sampled
  kCue,          // words fed to a stream while it thinks
  kProbe,        // a stream's token decoded without a promotion, to measure the promotion's effect
  kBranch,       // tokens of a search's branch, up to a node
  kPlayout,      // play-out of a search, from a node to the end
  kRecall,       // a node of memory, placed into or fed to a stream's view
  kNode,         // a node of memory, decoded alone to compute its cells
  kRegisterCue,  // the first words of a register's note
  kNote,         // what a register sampled
  kBridge,       // fed between two phases
  kMerge,        // fed between the streams and the answer
  kAnswer,
  kEmbedding,  // a text whose hidden state a client asked for
};
std::span<const EnumName<SpanKind>> names_of(SpanKind);
bool has_stream(SpanKind kind);
bool has_search(SpanKind kind);
bool has_node(SpanKind kind);
bool has_name(SpanKind kind);

struct SpanOwner {
  SpanKind kind = SpanKind::kPrompt;
  int stream = -1;    // of kPreamble, kStream, kCue, kProbe, kBranch, kPlayout; else -1
  int search = -1;    // number within the stream, of kBranch and kPlayout
  int64_t node = -1;  // kBranch, kPlayout: node of the tree; kRecall, kNode: node of memory
  int number = -1;    // kNote: number of the note; kAnswer: number of the choice
  std::string name;   // name of the register, of kRegisterCue and kNote

  bool operator==(const SpanOwner&) const = default;

  static SpanOwner of(SpanKind kind) { return {kind, -1, -1, -1, -1, {}}; }
  static SpanOwner of_stream(SpanKind kind, int stream) { return {kind, stream, -1, -1, -1, {}}; }
  static SpanOwner of_search(SpanKind kind, int stream, int search, int64_t node) {
    return {kind, stream, search, node, -1, {}};
  }
  static SpanOwner of_node(SpanKind kind, int64_t node) { return {kind, -1, -1, node, -1, {}}; }
  static SpanOwner of_register(SpanKind kind, std::string name, int number = -1) {
    return {kind, -1, -1, -1, number, std::move(name)};
  }
  static SpanOwner of_answer(int choice) { return {SpanKind::kAnswer, -1, -1, -1, choice, {}}; }
  bool is_stream(int number) const { return kind == SpanKind::kStream && stream == number; }
};

// A text such as "stream 3", "search 0.1 node 7" or "note hunch 2". For messages; format 1 of
// traces wrote owners in this form.
std::string to_string(const SpanOwner& owner);
// Inverse of to_string(). Throws Error{kInvalidArgument} for any other text.
SpanOwner parse_span_owner(std::string_view text);

// Who wrote a candidate of the gate or a node of memory.
struct NoteSource {
  enum class Kind { kRegister, kStream, kStore } kind = Kind::kRegister;
  std::string name;  // name of the register, if kRegister
  int stream = -1;

  auto operator<=>(const NoteSource&) const = default;

  static NoteSource of_register(std::string name) { return {Kind::kRegister, std::move(name), -1}; }
  static NoteSource of_stream(int stream) { return {Kind::kStream, {}, stream}; }
  static NoteSource of_store() { return {Kind::kStore, {}, -1}; }
};

// Spelling in records and answers: the register's name, "stream 3", or "stored".
std::string spelled(const NoteSource& source);
void read_spelled(std::string_view text, NoteSource& source);

}  // namespace polyphon
