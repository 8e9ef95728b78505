// Collects the streams' thoughts as they arrive. Plain data.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>

#include "streams/events.h"

namespace polyphon {

struct ThoughtLog {
  struct Stream {
    std::string strategy;  // the latest one
    std::string text;
  };
  std::map<int, Stream> streams;

  void add(const SessionEvent& event) {
    if (const auto* started = std::get_if<StreamStarted>(&event))
      streams[started->stream].strategy = started->strategy;
    if (const auto* thought = std::get_if<ThoughtDelta>(&event))
      streams[thought->stream].text += thought->text;
  }
  // {"id", "strategy"}: the tag of everything that belongs to a stream.
  Json tag(int stream) const { return {{"id", stream}, {"strategy", streams.at(stream).strategy}}; }
  // All thoughts under headers, sent as reasoning_content.
  std::string text() const {
    std::string all;
    for (const auto& [id, stream] : streams)
      all += fmt::format("[stream {}: {}]\n{}\n\n", id, stream.strategy, stream.text);
    return all;
  }
};

}  // namespace polyphon
