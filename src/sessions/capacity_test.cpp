#include "sessions/capacity.h"

#include <gtest/gtest.h>

#include "base/clock_for_test.h"
#include "model/fake_language_model.h"
#include "sessions/reasoner.h"

namespace polyphon {
namespace {

ThinkInput asked(const std::string& topology) {
  ThinkInput input;
  input.chat.messages = {{{"role", "user"}, {"content", std::string(300, 'x') + "?"}}};
  input.topology = parse_topology(topology);
  return input;
}

// Why a session does not fit into a cache of its estimated size; empty if it fits. The fake model
// has one token per byte, the worst case.
std::string misfit_of(const ThinkInput& input, const ReasonOptions& options = {}) {
  FakeDecoder::Options sizes;
  sizes.capacity_cells = context_cells(input, options);
  sizes.max_sequences = 256;
  auto model = std::make_unique<FakeLanguageModel>(sizes);
  auto engine = std::make_unique<Engine>(model->make_fake_decoder(), EngineOptions{}, kClock);
  Reasoner reasoner(std::move(model), std::move(engine), options, {"v1", "digest", "hash"});
  return reasoner.misfit(input);
}

TEST(Capacity, ASessionFitsACacheOfItsEstimatedSize) {
  for (const char* topology : {"auto", "1x1024", "8x256", "32x128", "4x512>1x2048"})
    for (const MergeMode merge : {MergeMode::kKv, MergeMode::kPrefill})
      for (const bool busy : {false, true}) {
        ThinkInput input = asked(topology);
        input.merge = merge;
        input.workspace.registers = busy ? 3 : 0;
        input.memory.enabled = busy;
        if (busy) input.search.mode = SearchMode::kAlways;
        EXPECT_EQ(misfit_of(input), "") << topology << " " << to_string(merge) << " " << busy;
      }
}

TEST(Capacity, GrowsWithWhatIsAsked) {
  const ReasonOptions options;
  const int plain = context_cells(asked("8x512"), options);
  ThinkInput more = asked("8x512");
  more.merge = MergeMode::kPrefill;
  EXPECT_GE(context_cells(more, options), plain + 8 * 512);
  more.search.mode = SearchMode::kAuto;
  more.search.max_tokens = 4096;
  EXPECT_GE(context_cells(more, options), plain + 8 * 512 + 4096);
}

TEST(Capacity, IsCappedByTheLargestAllowedPlan) {
  ReasonOptions options;
  options.caps = {4, 4000, 1000};
  EXPECT_EQ(context_cells(asked("64x1048576"), options), context_cells(asked("4x1000"), options));
}

TEST(Capacity, ACompletionGetsAsManyTokensAsFit) {
  for (const int choices : {1, 3, 8}) {
    const int most = most_completion_tokens(100, choices, 1000);
    EXPECT_LE(completion_needs(100, choices, most).cells, 1000);
    EXPECT_GT(completion_needs(100, choices, most + 1).cells, 1000);
  }
}

}  // namespace
}  // namespace polyphon
