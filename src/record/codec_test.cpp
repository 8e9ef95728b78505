#include "record/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "record/random_trace_for_test.h"
#include "record/trace_file.h"
#include "record/trace_promotion.h"

namespace polyphon {
namespace {

TEST(Codec, JsonKeepsEveryBit) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Trace trace = random_trace(seed);
    expect_same(trace_from_json(Json::parse(to_json(trace).dump())), trace);
  }
}

TEST(Codec, FedTokensHaveNullLogprobs) {
  Trace trace;
  trace.spans.push_back(
      {0, 0, SpanOwner::of(SpanKind::kPrompt), "", 0, {1, 2}, {0, 0}, {NAN, -0.5f}});
  EXPECT_EQ(to_json(trace)["spans"][0]["logprobs"], Json::parse("[null, -0.5]"));
}

// Each member is taken out, and replaced by something of another type.
TEST(Codec, WrongJsonIsRefusedByName) {
  const Json whole = to_json(random_trace(1));
  const auto message = [](const Json& json) -> std::string {
    try {
      trace_from_json(json);
      return "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return error.what();
    }
  };
  for (const auto& [key, value] : whole.items()) {
    Json json = whole;
    json.erase(key);
    EXPECT_NE(message(json).find(key), std::string::npos) << key;
    if (key == "request" || key == "result") continue;
    json[key] = value.is_string() ? Json(3) : Json("text");
    EXPECT_NE(message(json), "accepted") << key;
  }
  for (const char* list : {"spans", "edits", "decisions"})
    for (const auto& [key, value] : whole[list][0].items()) {
      Json json = whole;
      json[list][0].erase(key);
      EXPECT_NE(message(json).find(key), std::string::npos) << list << "." << key;
    }
  for (const Json& json : {Json(), Json(3), Json::array(), Json::object()})
    EXPECT_NE(message(json), "accepted");

  Json short_steps = whole;
  short_steps["spans"][0]["tokens"] = {1, 2, 3};
  short_steps["spans"][0]["steps"] = {1, 2};
  EXPECT_NE(message(short_steps).find("2 steps"), std::string::npos);
  Json other = whole;
  other["format"] = Trace::kFormat + 1;
  EXPECT_NE(message(other).find("format"), std::string::npos);
}

TEST(Codec, RefusesASpanWhoseIdIsNotItsIndex) {
  Trace trace = random_trace(1);
  ASSERT_FALSE(trace.spans.empty());
  Json json = to_json(trace);
  json["spans"][0]["id"] = 7;
  try {
    trace_from_json(json);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("spans[0] has the id 7"), std::string::npos);
  }
}

// Every member at every depth, taken out or made something else, is named by its path.
void expect_paths(const Json& whole, const Json::json_pointer& at, const std::string& path) {
  const Json& here = whole.at(at);
  const auto refused = [&](const Json& json, const std::string& named) {
    try {
      trace_from_json(json);
      return false;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(named), std::string::npos)
          << named << " is not in: " << error.what();
      EXPECT_EQ(error.field().substr(0, named.size()), named);
      return true;
    }
  };
  const bool list = here.is_array();
  if (!list && !here.is_object()) return;
  for (const auto& [key, value] : here.items()) {
    const Json::json_pointer inside = list ? at / std::stoul(key) : at / key;
    const std::string named = list ? path + "[" + key + "]" : path.empty() ? key : path + "." + key;
    Json other = whole;
    other[inside] = value.is_object() ? Json(true) : Json::object();
    EXPECT_TRUE(refused(other, named)) << named;
    expect_paths(whole, inside, named);
    if (list && key == "1") break;  // the others are alike
  }
}

class RecordOfFormat1 : public testing::Test {
 protected:
  static std::string file(const std::string& name) {
    return (std::filesystem::path(__FILE__).parent_path() / "testdata" / name).string();
  }
};

// Recorded by the last version that wrote format 1: registers, a broadcast, memory and its window;
// a vote over two phases; a plan; searches.
TEST_F(RecordOfFormat1, IsRead) {
  const std::vector<Trace> traces = read_traces(file("format_1.jsonl"));
  ASSERT_EQ(traces.size(), 4u);
  const Trace& all = traces[0];
  EXPECT_EQ(all.request.workspace.registers, 2);
  EXPECT_EQ(all.request.memory.window_tokens, 32);
  EXPECT_EQ(all.spans.at(0).owner, SpanOwner::of(SpanKind::kPrompt));
  const std::vector<TracePromotion> promotions = trace_promotions(all);
  ASSERT_EQ(promotions.size(), 2u);
  for (const TracePromotion& promotion : promotions) EXPECT_GE(promotion.edits.size(), 1u);
  EXPECT_EQ(traces[1].result.merge, MergeMode::kVote);
  EXPECT_EQ(traces[1].result.streams.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<PlanDecision>(traces[2].decisions.at(0).what));
  ASSERT_TRUE(traces[3].result.search.has_value());
  EXPECT_EQ(traces[3].result.search->searches.size(), 3u);
}

TEST_F(RecordOfFormat1, IsTheSameAsFormat2) {
  for (const Trace& trace : read_traces(file("format_1.jsonl")))
    expect_same(trace_from_json(to_json(trace)), trace);
}

TEST_F(RecordOfFormat1, NamesTheWrongMemberLikeFormat2) {
  for (const Trace& trace : read_traces(file("format_1.jsonl")))
    expect_paths(to_json(trace), Json::json_pointer(), "");
}

TEST_F(RecordOfFormat1, HasAnOutcome) {
  const std::vector<Trace> traces = read_traces(file("format_1_selfplay.jsonl"));
  ASSERT_EQ(traces.size(), 1u);
  ASSERT_TRUE(traces[0].outcome.has_value());
  EXPECT_EQ(traces[0].outcome->cell.family, "counting");
  EXPECT_EQ(traces[0].outcome->right.size(), 4u);
  EXPECT_FALSE(traces[0].outcome->counterfactuals.empty());
  EXPECT_EQ(to_json(*traces[0].outcome), to_json(*trace_from_json(to_json(traces[0])).outcome));
}

TEST_F(RecordOfFormat1, NamesAnUnknownOwner) {
  Json json = to_json(read_traces(file("format_1.jsonl")).at(1));
  json["format"] = 1;
  json["spans"][1]["owner"] = "steam 3";
  try {
    trace_from_json(json);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.field(), "spans[1].owner");
    EXPECT_NE(std::string(error.what()).find("steam 3"), std::string::npos);
  }
}

TEST(SpanOwner, SurvivesItsSpelling) {
  const std::vector<SpanOwner> owners = {
      SpanOwner::of(SpanKind::kPrompt),
      SpanOwner::of(SpanKind::kPlanState),
      SpanOwner::of(SpanKind::kMerge),
      SpanOwner::of(SpanKind::kAnswer),
      SpanOwner::of_answer(2),
      SpanOwner::of_stream(SpanKind::kStream, 12),
      SpanOwner::of_stream(SpanKind::kCue, 0),
      SpanOwner::of_search(SpanKind::kBranch, 3, 1, 7),
      SpanOwner::of_search(SpanKind::kPlayout, 0, 0, 40),
      SpanOwner::of_node(SpanKind::kRecall, 1),
      SpanOwner::of_node(SpanKind::kNode, 99),
      SpanOwner::of_register(SpanKind::kRegisterCue, "hunch"),
      SpanOwner::of_register(SpanKind::kNote, "my own register", 3)};
  for (const SpanOwner& owner : owners)
    EXPECT_EQ(parse_span_owner(to_string(owner)), owner) << to_string(owner);
  for (const char* none : {"stream", "stream x", "stream -1", "search 1 node 2", "note hunch", "x"})
    EXPECT_THROW(parse_span_owner(none), Error) << none;
}

}  // namespace
}  // namespace polyphon
