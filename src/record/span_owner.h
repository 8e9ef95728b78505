// Whose tokens a span holds. Plain.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "record/names.h"

namespace polyphon {

enum class SpanKind {
  kPrompt,
  kPlanState,    // the prompt's last token once more, for the topology head
  kPlan,         // the turn in which the model states a topology
  kPreamble,     // what a strategy says first, of a stream
  kStream,       // what a stream sampled
  kCue,          // what a stream was told on its way
  kProbe,        // a stream's token read without a promotion, to measure the difference
  kBranch,       // of a stream's search, up to a node
  kPlayout,      // of a stream's search, from a node to the end
  kRecall,       // a node of memory, placed or fed in a stream's view
  kNode,         // a node of memory, decoded alone for its cells
  kRegisterCue,  // the first words of a register's note
  kNote,         // what a register sampled
  kBridge,       // fed between two phases
  kMerge,        // fed between the streams and the answer
  kAnswer,
  kEmbedding,  // a text whose state is asked for
};
std::span<const EnumName<SpanKind>> names_of(SpanKind);
bool has_stream(SpanKind kind);
bool has_search(SpanKind kind);
bool has_node(SpanKind kind);
bool has_name(SpanKind kind);

struct SpanOwner {
  SpanKind kind = SpanKind::kPrompt;
  int stream = -1;    // of kPreamble, kStream, kCue, kProbe, kBranch, kPlayout
  int search = -1;    // of the stream: kBranch, kPlayout
  int64_t node = -1;  // of the search's tree: kBranch, kPlayout; of memory: kRecall, kNode
  int number = -1;    // of a register's notes: kNote; of a request's choices: kAnswer
  std::string name;   // of the register: kRegisterCue, kNote

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

// "stream 3", "search 0.1 node 7", "note hunch 2": for messages, and how format 1 wrote it.
std::string to_string(const SpanOwner& owner);
// Throws Error{kInvalidArgument}.
SpanOwner parse_span_owner(std::string_view text);

// Who wrote what the gate or memory has.
struct NoteSource {
  enum class Kind { kRegister, kStream, kStore } kind = Kind::kRegister;
  std::string name;  // of the register
  int stream = -1;

  auto operator<=>(const NoteSource&) const = default;

  static NoteSource of_register(std::string name) { return {Kind::kRegister, std::move(name), -1}; }
  static NoteSource of_stream(int stream) { return {Kind::kStream, {}, stream}; }
  static NoteSource of_store() { return {Kind::kStore, {}, -1}; }
};

// The register's name, "stream 3" or "stored": in records and answers.
std::string spelled(const NoteSource& source);
void read_spelled(std::string_view text, NoteSource& source);

}  // namespace polyphon
