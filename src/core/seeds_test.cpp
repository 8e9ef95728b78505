// Traces replay, and runs go on, by these numbers: none of them may change.
#include "core/seeds.h"

#include <gtest/gtest.h>

namespace polyphon::seeds {
namespace {

constexpr uint64_t kSeed = 7;

TEST(Seeds, KeepTheirNumbers) {
  EXPECT_EQ(kStreams.of(kSeed, 3), 4854513374406671322u);
  EXPECT_EQ(kAnswer.of(kSeed), 6782183671970397631u);
  EXPECT_EQ(kGateThreshold.of(kSeed), 6652036383885763666u);
  EXPECT_EQ(kCounterfactuals.of(kSeed), 10852044936925069029u);
  EXPECT_EQ(kChoices.of(kSeed, 2), 16753576447339095367u);
  EXPECT_EQ(kReseeds.of(kSeed, 1), 18330963960964431130u);
  EXPECT_EQ(kUrges.of(kSeed, 1), 5443632627869002184u);
  EXPECT_EQ(kNodes.of(kSearches.of(kSeed, 2), 5), 6593572212118755815u);
  EXPECT_EQ(kAfterSearches.of(kSeed, 2), 7805210308391691351u);
  EXPECT_EQ(kNodes.of(kPlayouts.of(kSeed, 2), 5), 3093370570544595301u);
  EXPECT_EQ(training_problem(kDrawnProblems.of(kSeed, 4)), 575612u);
  EXPECT_EQ(kSessions.of(kPlayedProblems.of(kSeed, 99), 4), 259464274656075635u);
  EXPECT_EQ(kSessions.of(kProposedShare.of(kSeed), 4), 11433376998499745938u);
  EXPECT_EQ(kSessions.of(kProposals.of(kSeed), 4), 5418179652434878386u);
  EXPECT_EQ(kEvaluation.of(kSeed, 2), 16753576447339095367u);
  EXPECT_EQ(kWorkedProblems.of(kSeed), 1988111358474182198u);
  EXPECT_EQ(kReadHead.of(kSeed), 16753576447339095367u);
  EXPECT_EQ(kLoraWeights.of(kSeed), 8581286081765471666u);
  EXPECT_EQ(kEpochs.of(kSeed, 2), 16753576447339095367u);
  EXPECT_EQ(kBatches.of(kSteps.of(kSeed, 3), 1), 6084984932609366786u);
  EXPECT_EQ(kDropoutPlaces.of(kSeed, 6), 4196224743621838704u);
}

TEST(Seeds, RangesThatShareAnIndexAreNotApart) {
  EXPECT_TRUE(are_apart(std::array{SeedRange{0, 5}, SeedRange{9}, SeedRange{5, 4}}));
  EXPECT_FALSE(are_apart(std::array{SeedRange{0, 5}, SeedRange{9}, SeedRange{4}}));
  EXPECT_FALSE(are_apart(std::array{SeedRange{4}, SeedRange{0, 5}}));
}

}  // namespace
}  // namespace polyphon::seeds
