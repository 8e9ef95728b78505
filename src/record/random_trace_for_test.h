// A trace with random numbers.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/random.h"
#include "record/codec.h"

namespace polyphon {

inline Trace random_trace(uint64_t seed) {
  Random random(seed);
  Trace trace;
  trace.id = "trace-" + std::to_string(seed);
  trace.created = "2026-01-02T03:04:05Z";
  trace.version = "base";
  trace.model_digest = "abc";
  trace.config_hash = "def";
  trace.seed = random.next() | (1ull << 63);  // does not fit a signed number
  trace.cached_prompt_tokens = static_cast<int>(random.next() % 100);
  trace.request.prompt = {1, 2, 3};
  trace.request.topology = parse_topology("2x8");
  for (int id = 0; id < 3; ++id) {
    TraceSpan span;
    span.id = id;
    span.sequence = id + 4;
    span.owner = SpanOwner::of_stream(SpanKind::kStream, id);
    span.strategy = id == 0 ? "" : "check \"twice\"\n";
    span.begin = id * 10;
    for (uint64_t i = random.next() % 20; i > 0; --i) {
      span.tokens.push_back(static_cast<Token>(random.next() % 150000));
      span.steps.push_back(static_cast<Step>(random.next() % (1ull << 40)));
      span.logprobs.push_back(random.next() % 3 == 0 ? NAN
                                                     : static_cast<float>(-9 * random.uniform()));
    }
    trace.spans.push_back(span);
  }
  trace.edits = {{3, EditKind::kOpen, 5, -1, 0, 0, -1},
                 {4, EditKind::kJoin, 5, 1, 10, 17, 0},
                 {9, EditKind::kClose, 5, -1, 0, 0, -1}};
  trace.decisions = {{7, AgreementDecision{"42"}},
                     {8, MergeDecision{MergeMode::kVote, MergeMode::kKv, "no answer"}}};
  trace.result.answer = "42";
  return trace;
}

inline bool same_logprobs(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

inline void expect_same(const Trace& a, const Trace& b) {
  EXPECT_EQ(to_json(a), to_json(b));
  EXPECT_EQ(a.seed, b.seed);
  ASSERT_EQ(a.spans.size(), b.spans.size());
  for (size_t i = 0; i < a.spans.size(); ++i) {
    EXPECT_EQ(a.spans[i].tokens, b.spans[i].tokens);
    EXPECT_EQ(a.spans[i].steps, b.spans[i].steps);
    EXPECT_TRUE(same_logprobs(a.spans[i].logprobs, b.spans[i].logprobs));
  }
}

}  // namespace polyphon
