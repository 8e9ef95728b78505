#include "app/think_reporter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "app/command.h"

namespace polyphon {

ThinkReporter::ThinkReporter(ThinkShown shown)
    : shown_(shown), screen_(shown != ThinkShown::kNothing && isatty(STDERR_FILENO) != 0) {}

void ThinkReporter::told(const std::string& line) const {
  if (shown_ == ThinkShown::kStreamsAndAnswer) std::cerr << line << '\n';
}

void ThinkReporter::leave_streams() {
  if (!screen_ || left_) return;
  left_ = true;
  if (shown_ == ThinkShown::kAnswer)
    view_.erase();
  else
    view_.leave();
}

void ThinkReporter::operator()(const SessionEvent& event) {
  if (const auto* started = std::get_if<StreamStarted>(&event)) {
    if (static_cast<int>(streams_.size()) <= started->stream) streams_.emplace_back();
    streams_[started->stream].id = started->stream;
    streams_[started->stream].strategy = started->strategy;
  } else if (const auto* thought = std::get_if<ThoughtDelta>(&event)) {
    streams_[thought->stream].text += thought->text;
    ++streams_[thought->stream].tokens;
    if (screen_ && ++drawn_ % static_cast<int>(streams_.size()) == 0) view_.draw(streams_);
  } else if (const auto* ended = std::get_if<StreamEnded>(&event)) {
    streams_[ended->stream].finish_reason = name_of(ended->finish_reason);
    streams_[ended->stream].tokens = ended->tokens;
    if (screen_)
      view_.draw(streams_);
    else
      told(fmt::format("stream {} ({}): {} tokens, {}, answer: {}", ended->stream,
                       streams_[ended->stream].strategy, ended->tokens,
                       name_of(ended->finish_reason),
                       ended->answer.empty() ? "none" : ended->answer));
  } else if (const auto* promoted = std::get_if<Promoted>(&event)) {
    told(fmt::format("promotion {} ({}, p {:.2f}): {}", promoted->promotion,
                     spelled(promoted->source), promoted->probability, promoted->text));
  } else if (const auto* recalled = std::get_if<Recalled>(&event)) {
    told(fmt::format("stream {} recalls ({}): {}", recalled->stream, name_of(recalled->by),
                     fmt::join(recalled->texts, " | ")));
  } else if (const auto* began = std::get_if<SearchBegan>(&event)) {
    told(fmt::format("search {}.{} began ({})", began->stream, began->search,
                     name_of(began->trigger)));
  } else if (const auto* found = std::get_if<SearchEnded>(&event)) {
    told(fmt::format("search {}.{} committed {} of {} tokens: {} simulations, {:.1f} leaves a step",
                     found->stream, found->search, found->committed_tokens, found->tokens,
                     found->simulations, found->leaves_per_step));
  } else if (const auto* answer = std::get_if<AnswerDelta>(&event)) {
    if (answer_.empty()) {
      leave_streams();
      if (screen_ && shown_ == ThinkShown::kStreamsAndAnswer) std::cerr << "\nanswer\n";
    }
    answer_ += answer->text;
    if (shown_ != ThinkShown::kNothing) print_out(answer->text);
  }
}

void ThinkReporter::end() { leave_streams(); }

std::string ThinkReporter::reasoning() const {
  std::string text;
  for (const StreamView& stream : streams_)
    text += fmt::format("[stream {}: {}]\n{}\n\n", stream.id, stream.strategy, stream.text);
  return text;
}

}  // namespace polyphon
