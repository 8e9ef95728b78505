#include "record/span_owner.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/shown.h"

namespace polyphon {
namespace {

constexpr std::string_view kStored = "stored";

std::optional<int64_t> number_in(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

// The text after the prefix; none if the text does not start with it.
std::optional<std::string_view> after(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  return text.substr(prefix.size());
}

std::optional<int> stream_in(std::string_view text) {
  const auto number = number_in(text);
  return number ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

// Reads "3.1 node 7": search 1 of stream 3, node 7.
std::optional<SpanOwner> search_in(SpanKind kind, std::string_view text) {
  const size_t dot = text.find('.');
  const size_t node = text.find(" node ");
  if (dot == text.npos || node == text.npos || node < dot) return std::nullopt;
  const auto stream = number_in(text.substr(0, dot));
  const auto search = number_in(text.substr(dot + 1, node - dot - 1));
  const auto number = number_in(text.substr(node + 6));
  if (!stream || !search || !number) return std::nullopt;
  return SpanOwner::of_search(kind, static_cast<int>(*stream), static_cast<int>(*search), *number);
}

// Reads "hunch 2": note 2 of the register "hunch". A name may contain spaces.
std::optional<SpanOwner> note_in(std::string_view text) {
  const size_t space = text.rfind(' ');
  if (space == text.npos) return std::nullopt;
  const auto number = number_in(text.substr(space + 1));
  if (!number) return std::nullopt;
  return SpanOwner::of_register(SpanKind::kNote, std::string(text.substr(0, space)),
                                static_cast<int>(*number));
}

std::optional<SpanOwner> owner_in(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, SpanKind>, 7> kAlone = {{
      {"prompt", SpanKind::kPrompt},
      {"plan state", SpanKind::kPlanState},
      {"plan", SpanKind::kPlan},
      {"bridge", SpanKind::kBridge},
      {"merge", SpanKind::kMerge},
      {"answer", SpanKind::kAnswer},
      {"", SpanKind::kEmbedding},
  }};
  for (const auto& [name, kind] : kAlone)
    if (text == name) return SpanOwner::of(kind);

  static constexpr std::array<std::pair<std::string_view, SpanKind>, 3> kOfStreams = {{
      {"stream ", SpanKind::kStream},
      {"preamble ", SpanKind::kPreamble},
      {"probe ", SpanKind::kProbe},
  }};
  for (const auto& [prefix, kind] : kOfStreams)
    if (const auto rest = after(text, prefix))
      if (const auto stream = stream_in(*rest)) return SpanOwner::of_stream(kind, *stream);

  // Format 1 uses "cue" for both SpanKind::kCue and kRegisterCue.
  if (const auto rest = after(text, "cue ")) {
    const auto stream = stream_in(*rest);
    return stream ? SpanOwner::of_stream(SpanKind::kCue, *stream)
                  : SpanOwner::of_register(SpanKind::kRegisterCue, std::string(*rest));
  }
  if (const auto rest = after(text, "search ")) return search_in(SpanKind::kBranch, *rest);
  if (const auto rest = after(text, "playout ")) return search_in(SpanKind::kPlayout, *rest);
  if (const auto rest = after(text, "note ")) return note_in(*rest);
  for (const auto& [prefix, kind] :
       {std::pair{"memory ", SpanKind::kRecall}, std::pair{"node ", SpanKind::kNode}})
    if (const auto rest = after(text, prefix))
      if (const auto node = number_in(*rest)) return SpanOwner::of_node(kind, *node);
  if (const auto rest = after(text, "answer "))
    if (const auto choice = stream_in(*rest)) return SpanOwner::of_answer(*choice);
  return std::nullopt;
}

}  // namespace

std::span<const EnumName<SpanKind>> names_of(SpanKind) {
  static constexpr std::array<EnumName<SpanKind>, 17> kNames = {{
      {SpanKind::kPrompt, "prompt"},
      {SpanKind::kPlanState, "plan state"},
      {SpanKind::kPlan, "plan"},
      {SpanKind::kPreamble, "preamble"},
      {SpanKind::kStream, "stream"},
      {SpanKind::kCue, "cue"},
      {SpanKind::kProbe, "probe"},
      {SpanKind::kBranch, "search"},
      {SpanKind::kPlayout, "playout"},
      {SpanKind::kRecall, "memory"},
      {SpanKind::kNode, "node"},
      {SpanKind::kRegisterCue, "register cue"},
      {SpanKind::kNote, "note"},
      {SpanKind::kBridge, "bridge"},
      {SpanKind::kMerge, "merge"},
      {SpanKind::kAnswer, "answer"},
      {SpanKind::kEmbedding, "embedding"},
  }};
  return kNames;
}

bool has_stream(SpanKind kind) {
  return kind == SpanKind::kPreamble || kind == SpanKind::kStream || kind == SpanKind::kCue ||
         kind == SpanKind::kProbe || has_search(kind);
}

bool has_search(SpanKind kind) { return kind == SpanKind::kBranch || kind == SpanKind::kPlayout; }

bool has_node(SpanKind kind) {
  return kind == SpanKind::kRecall || kind == SpanKind::kNode || has_search(kind);
}

bool has_name(SpanKind kind) { return kind == SpanKind::kRegisterCue || kind == SpanKind::kNote; }

std::string to_string(const SpanOwner& owner) {
  const std::string kind = owner.kind == SpanKind::kRegisterCue ? "cue" : name_of(owner.kind);
  if (has_search(owner.kind))
    return fmt::format("{} {}.{} node {}", kind, owner.stream, owner.search, owner.node);
  if (has_stream(owner.kind)) return fmt::format("{} {}", kind, owner.stream);
  if (has_node(owner.kind)) return fmt::format("{} {}", kind, owner.node);
  const std::string named = has_name(owner.kind) ? kind + " " + owner.name : kind;
  return owner.number < 0 ? named : fmt::format("{} {}", named, owner.number);
}

SpanOwner parse_span_owner(std::string_view text) {
  const auto found = owner_in(text);
  if (!found)
    throw Error(ErrorCode::kInvalidArgument, fmt::format("no owner is called '{}'", shown(text)));
  return *found;
}

std::string spelled(const NoteSource& source) {
  switch (source.kind) {
    case NoteSource::Kind::kRegister:
      return source.name;
    case NoteSource::Kind::kStream:
      return fmt::format("stream {}", source.stream);
    case NoteSource::Kind::kStore:
      return std::string(kStored);
  }
  return source.name;
}

void read_spelled(std::string_view text, NoteSource& source) {
  std::optional<int> stream;
  if (const auto rest = after(text, "stream ")) stream = stream_in(*rest);
  source = stream            ? NoteSource::of_stream(*stream)
           : text == kStored ? NoteSource::of_store()
                             : NoteSource::of_register(std::string(text));
}

}  // namespace polyphon
