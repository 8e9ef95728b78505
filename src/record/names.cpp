#include "record/names.h"

#include <array>

#include "record/trace.h"

namespace polyphon {

std::span<const EnumName<EditKind>> names_of(EditKind) {
  using E = EditKind;
  static constexpr std::array<EnumName<E>, 5> kNames = {{{E::kOpen, "open"},
                                                         {E::kJoin, "join"},
                                                         {E::kDrop, "drop"},
                                                         {E::kPlace, "place"},
                                                         {E::kClose, "close"}}};
  return kNames;
}

std::span<const EnumName<FinishReason>> names_of(FinishReason) {
  using R = FinishReason;
  static constexpr std::array<EnumName<R>, 4> kNames = {{{R::kStop, "stop"},
                                                         {R::kLength, "length"},
                                                         {R::kCollapsed, "collapsed"},
                                                         {R::kAgreement, "agreement"}}};
  return kNames;
}

std::span<const EnumName<CollapseAction>> names_of(CollapseAction) {
  using A = CollapseAction;
  static constexpr std::array<EnumName<A>, 3> kNames = {
      {{A::kEnd, "end"}, {A::kNone, "none: it searches"}, {A::kReseed, "reseed"}}};
  return kNames;
}

std::span<const EnumName<SearchCause>> names_of(SearchCause) {
  using C = SearchCause;
  static constexpr std::array<EnumName<C>, 4> kNames = {{{C::kEntropy, "entropy"},
                                                         {C::kValue, "value"},
                                                         {C::kMarker, "marker"},
                                                         {C::kAlways, "always"}}};
  return kNames;
}

std::span<const EnumName<SearchObstacle>> names_of(SearchObstacle) {
  using O = SearchObstacle;
  static constexpr std::array<EnumName<O>, 5> kNames = {{
      {O::kStreamSearches, "max_stream_searches"},
      {O::kSearches, "max_searches"},
      {O::kTokens, "max_tokens"},
      {O::kSequences, "max_sequences"},
      {O::kStreamBudget, "the stream's budget"},
  }};
  return kNames;
}

std::span<const EnumName<SearchEnd>> names_of(SearchEnd) {
  using E = SearchEnd;
  static constexpr std::array<EnumName<E>, 6> kNames = {{
      {E::kSimulations, "simulations"},
      {E::kSequences, "sequences"},
      {E::kTokens, "tokens"},
      {E::kNothingLeft, "nothing left"},
      {E::kClock, "milliseconds"},
      {E::kStreamEnded, "the stream ended"},
  }};
  return kNames;
}

std::span<const EnumName<RecallCause>> names_of(RecallCause) {
  using C = RecallCause;
  static constexpr std::array<EnumName<C>, 3> kNames = {
      {{C::kMarker, "marker"}, {C::kReadHead, "read_head"}, {C::kStart, "start"}}};
  return kNames;
}

std::span<const EnumName<NodeOrigin>> names_of(NodeOrigin) {
  using O = NodeOrigin;
  static constexpr std::array<EnumName<O>, 5> kNames = {{{O::kMarker, "marker"},
                                                         {O::kWriteHead, "write_head"},
                                                         {O::kPromotion, "promotion"},
                                                         {O::kConclusion, "conclusion"},
                                                         {O::kStored, "stored"}}};
  return kNames;
}

std::span<const EnumName<EdgeKind>> names_of(EdgeKind) {
  using K = EdgeKind;
  static constexpr std::array<EnumName<K>, 4> kNames = {{{K::kDerivedFrom, "derived_from"},
                                                         {K::kSupports, "supports"},
                                                         {K::kContradicts, "contradicts"},
                                                         {K::kSameSubject, "same_subject"}}};
  return kNames;
}

}  // namespace polyphon
