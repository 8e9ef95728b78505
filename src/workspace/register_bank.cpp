#include "workspace/register_bank.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/sentences.h"
#include "text/similarity.h"

namespace polyphon {
namespace {

constexpr int kFewestNoteTokens = 4;  // a full stop ends a note only after this many tokens

bool ends_sentence(std::string_view text) {
  text = trim(text);
  return !text.empty() && std::string_view(".!?").find(text.back()) != std::string_view::npos;
}

}  // namespace

RegisterBank::RegisterBank(const ThinkContext& context, SequenceNumber base, Position base_end)
    : context_(context), base_end_(base_end) {
  const WorkspaceOptions& options = context.options.workspace;
  const int count = context.request.workspace.registers;
  for (int i = 0; i < count; ++i) {
    Register& opened = registers_.emplace_back();
    opened.spec = options.registers[static_cast<size_t>(i)];
    opened.cue = context.tokenize("\n" + opened.spec.cue);
    opened.sequence = context.views->open();
    opened.cadence_tokens = opened.spec.cadence(context.request.workspace.cadence_tokens);
    opened.next_read_tokens = opened.cadence_tokens;
    context.views->join(base, opened.sequence, 0, base_end);
  }
}

bool RegisterBank::owns(SequenceNumber sequence) const {
  return std::any_of(registers_.begin(), registers_.end(),
                     [&](const Register& r) { return r.sequence == sequence; });
}

bool RegisterBank::writing() const {
  return std::any_of(registers_.begin(), registers_.end(),
                     [](const Register& r) { return r.writing; });
}

void RegisterBank::read(Register& reader, const std::vector<Stream>& streams) {
  SessionViews& views = *context_.views;
  reader.read_to.resize(streams.size(), base_end_);
  for (const auto& [promotion, heard] : std::exchange(reader.heard, {}))
    views.join(heard.sequence, reader.sequence, heard.begin, heard.end, promotion);
  for (size_t i = 0; i < streams.size(); ++i) {
    const Position end = views.end_position(streams[i].sequence);
    if (end <= reader.read_to[i]) continue;
    views.join(streams[i].sequence, reader.sequence, reader.read_to[i], end);
    reader.read_to[i] = end;
  }
}

void RegisterBank::begin_note(Register& writer) {
  SessionViews& views = *context_.views;
  writer.writing = true;
  writer.note = {};
  writer.note.source = NoteSource::of_register(writer.spec.name);
  writer.note.sequence = writer.sequence;
  writer.note.begin = views.next_position(writer.sequence);
  writer.note.tokens = writer.cue;
  writer.text = TextStream({});
  writer.logprob_sum = 0;
  views.feed(writer.sequence, writer.note.tokens,
             SpanOwner::of_register(SpanKind::kRegisterCue, writer.spec.name));
  SamplingParams sampling = context_.request.sampling;
  sampling.temperature = 0;
  views.generate(writer.sequence, std::make_unique<Sampler>(sampling, nullptr, true),
                 SpanOwner::of_register(SpanKind::kNote, writer.spec.name, writer.notes));
}

void RegisterBank::on_token(SequenceNumber sequence, const SampledToken& token) {
  Register& writer = *std::find_if(registers_.begin(), registers_.end(),
                                   [&](const Register& r) { return r.sequence == sequence; });
  const Vocabulary& vocabulary = context_.vocabulary();
  const std::string piece = vocabulary.piece(token.token, false);
  if (vocabulary.is_end_of_generation(token.token) || piece.find('\n') != std::string::npos)
    return context_.views->stop(sequence, false);
  writer.text.push(piece);
  writer.note.tokens.push_back(token.token);
  writer.logprob_sum += token.logprob;
  const auto hidden = context_.views->hidden(sequence);
  writer.note.hidden.assign(hidden.begin(), hidden.end());
  const auto written = static_cast<int>(writer.note.tokens.size() - writer.cue.size());
  const bool whole = written >= kFewestNoteTokens && ends_sentence(writer.text.text());
  if (whole || written >= writer.spec.note_tokens) context_.views->stop(sequence, true);
}

void RegisterBank::finish_note(Register& writer) {
  writer.writing = false;
  writer.rows += static_cast<int>(writer.note.tokens.size());
  writer.text.flush();
  writer.tokens += static_cast<int>(writer.note.tokens.size() - writer.cue.size());
  const std::string_view words = trim(writer.text.text());
  if (words.empty()) return;
  ++writer.notes;
  writer.note.end = context_.views->end_position(writer.sequence);
  writer.note.text = fmt::format("{} {}", writer.spec.cue, words);
  const auto written = static_cast<int>(writer.note.tokens.size() - writer.cue.size());
  writer.note.confidence = std::exp(writer.logprob_sum / written);
  // Evidence decays from note to note. A note that is confident, and repeats the last one, adds to
  // it.
  const double repeated = ngram_overlap(writer.note.tokens, writer.last_note, 2);
  writer.evidence = context_.options.workspace.evidence_decay * writer.evidence +
                    writer.note.confidence * (0.5 + 0.5 * repeated);
  writer.note.evidence = writer.evidence;
  writer.last_note = writer.note.tokens;
  finished_.push_back(writer.note);
}

void RegisterBank::after_step(const std::vector<Stream>& streams,
                              const std::function<bool(SequenceNumber)>& is_wanted) {
  size_t ticks = 0;
  for (const Stream& stream : streams) ticks = std::max(ticks, stream.tokens.size());
  for (Register& each : registers_) {
    if (each.writing) {
      if (context_.views->idle(each.sequence)) finish_note(each);
    } else if (static_cast<int>(ticks) >= each.next_read_tokens && !is_wanted(each.sequence)) {
      each.next_read_tokens += each.cadence_tokens;
      read(each, streams);
      begin_note(each);
    }
  }
}

std::vector<Candidate> RegisterBank::take_notes() { return std::exchange(finished_, {}); }

void RegisterBank::hear(int promotion, const Candidate& broadcast) {
  for (Register& each : registers_) {
    if (each.sequence == broadcast.sequence)
      each.evidence = 0;
    else
      each.heard.emplace_back(promotion, broadcast);
  }
}

void RegisterBank::close() {
  for (Register& each : registers_) {
    each.ms = context_.views->compute_ms(each.sequence);
    context_.views->close(each.sequence);
    each.sequence = -1;
    each.writing = false;
  }
}

std::vector<RegisterCost> RegisterBank::costs() const {
  std::vector<RegisterCost> costs;
  for (const Register& each : registers_)
    costs.push_back({each.spec.name, each.notes, each.rows, each.tokens,
                     each.sequence >= 0 ? context_.views->compute_ms(each.sequence) : each.ms});
  return costs;
}

}  // namespace polyphon
