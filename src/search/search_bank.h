// All tree searches of a session: decides when a stream begins a search, and holds the token and
// sequence budget that the searches share. Decode thread only.
#pragma once

#include <memory>
#include <vector>

#include "search/search_trigger.h"
#include "search/stream_search.h"

namespace polyphon {

class SearchBank {
 public:
  // `context` must outlive this object.
  explicit SearchBank(const ThinkContext& context);

  // `phase` must live until end_phase().
  void begin_phase(StreamPhase& phase);
  bool owns(SequenceNumber sequence) const;  // whether it is a sequence of a search
  void on_token(SequenceNumber sequence, const SampledToken& token);
  // Call after the phase has taken this token of the stream: begins a search if it is time.
  void on_stream_token(Stream& stream, const SampledToken& token);
  void after_step();
  // Ends all searches and closes their views. Call before the streams' views are closed.
  void end_phase();

  SearchReport report() const;

 private:
  struct Watched {
    SearchTrigger trigger;
    int searches = 0;
    std::optional<SearchObstacle> refused;  // why the last search could not begin
  };
  std::optional<SearchObstacle> obstacle(const Stream& stream, const Watched& watched) const;
  Watched& watched(const Stream& stream) {
    return watched_[static_cast<size_t>(&stream - phase_->streams().data())];
  }

  const ThinkContext& context_;
  SearchBudget budget_;
  StreamPhase* phase_ = nullptr;
  std::vector<Watched> watched_;  // [streams of the phase]
  std::vector<std::unique_ptr<StreamSearch>> running_;
  int begun_ = 0;
  std::vector<SearchResult> searches_;
};

}  // namespace polyphon
