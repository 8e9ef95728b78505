// The list of seeds that are derived from another seed. Each consumer has a range of indices of its
// own, so that no two parts of a session draw the same numbers. Never change a range: traces
// replay, and folders of self-play go on, by these numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/random.h"
#include "core/topology.h"

namespace polyphon {

struct SeedRange {
  uint64_t first = 0;
  uint64_t count = 1;

  // Seed number `index` (below `count`) of this range, derived from `seed`.
  constexpr uint64_t of(uint64_t seed, uint64_t index = 0) const {
    return derive_seed(seed, first + index);
  }
  constexpr uint64_t end() const { return first + count; }
};

namespace seeds {

inline constexpr uint64_t kNoLimit = uint64_t{1} << 32;  // as many as anybody will count

// Derived from a thinking session's seed.
inline constexpr SeedRange kStreams{0, Topology::kMaxPhases * Topology::kMaxStreams};
inline constexpr SeedRange kAnswer{uint64_t{1} << 20};
inline constexpr SeedRange kGateThreshold{uint64_t{1} << 32};  // that self-play asks for
inline constexpr SeedRange kCounterfactuals{(uint64_t{1} << 32) + 1};
inline constexpr std::array kOfSession{kStreams, kAnswer, kGateThreshold, kCounterfactuals};

// Derived from a plain completion's seed. Choice 0 draws with the seed itself.
inline constexpr SeedRange kChoices{0, kNoLimit};

// Derived from the seed that a stream draws with at the time. The first two count from 1.
inline constexpr SeedRange kReseeds{1000, 1000};
inline constexpr SeedRange kUrges{2000, Topology::kMaxStreamTokens};
inline constexpr SeedRange kSearches{uint64_t{1} << 24, 1 << 24};
inline constexpr SeedRange kAfterSearches{uint64_t{2} << 24, 1 << 24};
inline constexpr SeedRange kPlayouts{uint64_t{3} << 24, 1 << 24};
inline constexpr std::array kOfStream{kReseeds, kUrges, kSearches, kAfterSearches, kPlayouts};
// Derived from a search's seed, and from that of its play-outs: one for each node of the tree.
inline constexpr SeedRange kNodes{0, kNoLimit};

// Problems for training have seeds below, those of frozen suites from here on.
inline constexpr uint64_t kFirstSuiteSeed = 1'000'000;

// Derived from the seed of a run of self-play. What kDrawnProblems gives is the seed of a problem;
// what kPlayedProblems gives, by such a seed, is what the problem's sessions derive theirs from.
inline constexpr SeedRange kDrawnProblems{0, kNoLimit};
inline constexpr SeedRange kPlayedProblems{0, kFirstSuiteSeed};
inline constexpr SeedRange kProposedShare{(uint64_t{1} << 32) + 2};
inline constexpr SeedRange kProposals{(uint64_t{1} << 32) + 3};
inline constexpr std::array kOfRun{kPlayedProblems, kProposedShare, kProposals};
inline constexpr std::array kProblemsOfRun{kDrawnProblems, kProposedShare, kProposals};
// Derived from one of these: one for each session of the run, or try.
inline constexpr SeedRange kSessions{0, kNoLimit};

// Derived from the seed of an evaluation's problem: one for each difficulty.
inline constexpr SeedRange kEvaluation{0, kNoLimit};

// Derived from the seed of training data, and from that of the training of heads.
inline constexpr SeedRange kWorkedProblems{1};
inline constexpr SeedRange kReadHead{2};

// Derived from the seed of a training run. These ranges overlap, but no two of them feed the same
// generator: torch's weights, the order of an epoch's examples, and the dropout of a step, whose
// seed gives one for each batch, and that one for each place in the model.
inline constexpr SeedRange kLoraWeights{0};
inline constexpr SeedRange kEpochs{0, kNoLimit};
inline constexpr SeedRange kSteps{0, kNoLimit};
inline constexpr SeedRange kBatches{0, kNoLimit};
inline constexpr SeedRange kDropoutPlaces{0, kNoLimit};

template <size_t kCount>
constexpr bool are_apart(const std::array<SeedRange, kCount>& ranges) {
  for (size_t i = 0; i < kCount; ++i)
    for (size_t j = 0; j < i; ++j)
      if (ranges[i].first < ranges[j].end() && ranges[j].first < ranges[i].end()) return false;
  return true;
}
static_assert(are_apart(kOfSession));
static_assert(are_apart(kOfStream));
static_assert(are_apart(kOfRun));
static_assert(are_apart(kProblemsOfRun));

// The seed of a problem for training, from what one of the ranges gave.
constexpr uint64_t training_problem(uint64_t seed) { return seed % kFirstSuiteSeed; }

}  // namespace seeds
}  // namespace polyphon
