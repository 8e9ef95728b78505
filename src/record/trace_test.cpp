#include "record/trace.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "base/error.h"
#include "base/random.h"

namespace polyphon {
namespace {

Trace random_trace(uint64_t seed) {
  Random random(seed);
  Trace trace;
  trace.id = "trace-" + std::to_string(seed);
  trace.created = "2026-01-02T03:04:05Z";
  trace.version = "base";
  trace.model_digest = "abc";
  trace.config_hash = "def";
  trace.seed = random.next() | (1ull << 63);  // does not fit a signed number
  trace.cached_prompt_tokens = static_cast<int>(random.next() % 100);
  trace.request = {{"prompt", {1, 2, 3}}, {"topology", "2x8"}};
  for (int id = 0; id < 3; ++id) {
    TraceSpan span;
    span.id = id;
    span.sequence = id + 4;
    span.owner = "stream " + std::to_string(id);
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
  trace.edits = {{3, "open", 5, -1, 0, 0}, {4, "join", 5, 1, 10, 17}, {9, "close", 5, -1, 0, 0}};
  trace.decisions = {{7, "stop", {{"agreement", 0.75}}}, {8, "merge", nullptr}};
  trace.result = {{"text", "42"}};
  return trace;
}

bool same_logprobs(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

void expect_same(const Trace& a, const Trace& b) {
  EXPECT_EQ(to_json(a), to_json(b));
  EXPECT_EQ(a.seed, b.seed);
  ASSERT_EQ(a.spans.size(), b.spans.size());
  for (size_t i = 0; i < a.spans.size(); ++i) {
    EXPECT_EQ(a.spans[i].tokens, b.spans[i].tokens);
    EXPECT_EQ(a.spans[i].steps, b.spans[i].steps);
    EXPECT_TRUE(same_logprobs(a.spans[i].logprobs, b.spans[i].logprobs));
  }
}

class TraceFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "polyphon_trace_XXXXXX";
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/traces.jsonl";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_, path_;
};

TEST(Trace, JsonKeepsEveryBit) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Trace trace = random_trace(seed);
    expect_same(trace_from_json(Json::parse(to_json(trace).dump())), trace);
  }
}

TEST(Trace, FedTokensHaveNullLogprobs) {
  Trace trace;
  trace.spans.push_back({0, 0, "prompt", "", 0, {1, 2}, {0, 0}, {NAN, -0.5f}});
  EXPECT_EQ(to_json(trace)["spans"][0]["logprobs"], Json::parse("[null, -0.5]"));
}

// Each member is taken out, and replaced by something of another type.
TEST(Trace, WrongJsonIsRefusedByName) {
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

TEST_F(TraceFile, AppendsLinesThatReadBack) {
  for (uint64_t seed = 0; seed < 5; ++seed) append_trace(path_, random_trace(seed));
  const std::vector<Trace> traces = read_traces(path_);
  ASSERT_EQ(traces.size(), 5u);
  for (uint64_t seed = 0; seed < 5; ++seed) expect_same(traces[seed], random_trace(seed));
  struct stat state{};
  ASSERT_EQ(::stat(path_.c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 0777, 0600u) << "prompts are private";
}

TEST_F(TraceFile, LinesOfSeveralThreadsDoNotMix) {
  {
    std::vector<std::jthread> writers;
    for (uint64_t writer = 0; writer < 4; ++writer)
      writers.emplace_back([&, writer] {
        for (uint64_t i = 0; i < 50; ++i) append_trace(path_, random_trace(writer * 50 + i));
      });
  }
  std::vector<std::string> ids;
  for (const Trace& trace : read_traces(path_)) ids.push_back(trace.id);
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
  EXPECT_EQ(ids.size(), 200u);
}

TEST_F(TraceFile, InvalidUtf8IsStillWritten) {
  Trace trace = random_trace(1);
  trace.result = {{"text", "\xFF"}};
  append_trace(path_, trace);
  EXPECT_EQ(read_traces(path_).at(0).result["text"], "\xEF\xBF\xBD");
}

void expect_internal_error(const std::string& path) {
  try {
    append_trace(path, random_trace(1));
    ADD_FAILURE() << path;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_NE(std::string(error.what()).find(path), std::string::npos);
  }
}

TEST_F(TraceFile, AFullDiskIsAnError) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  try {
    append_trace("/dev/full", random_trace(1));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos) << error.what();
  }
}

// The file may grow by less than a line: the error comes, and the earlier line stays alone.
TEST_F(TraceFile, ACutLineIsTakenBack) {
  append_trace(path_, random_trace(1));
  const auto size = std::filesystem::file_size(path_);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{size + 100, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  expect_internal_error(path_);
  const std::vector<Trace> several = {random_trace(2), random_trace(3)};
  EXPECT_THROW(append_traces(path_, several), Error);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(std::filesystem::file_size(path_), size);
  append_trace(path_, random_trace(2));
  EXPECT_EQ(read_traces(path_).size(), 2u);
}

TEST_F(TraceFile, APathThatCannotBeOpenedIsAnError) {
  expect_internal_error(folder_);
  expect_internal_error(folder_ + "/none/traces.jsonl");
}

TEST_F(TraceFile, SeveralAreAppendedInTheirOrder) {
  const std::vector<Trace> several = {random_trace(1), random_trace(2), random_trace(3)};
  append_traces(path_, several);
  const std::vector<Trace> read = read_traces(path_);
  ASSERT_EQ(read.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(read[i].id, several[i].id);
}

TEST_F(TraceFile, ASpanIsWhereItsIdSays) {
  Trace trace = random_trace(1);
  ASSERT_FALSE(trace.spans.empty());
  Json json = to_json(trace);
  json["spans"][0]["id"] = 7;
  try {
    trace_from_json(json);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("span 0 has id 7"), std::string::npos);
  }
}

TEST_F(TraceFile, ReadingNamesTheBadLine) {
  append_trace(path_, random_trace(1));
  std::ofstream(path_, std::ios::app) << "\n{\"format\": 1, \"id\"\n";
  try {
    read_traces(path_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("line 3: not a trace: it is not JSON"),
              std::string::npos)
        << error.what();
  }
  try {
    read_traces(folder_ + "/none");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
}

}  // namespace
}  // namespace polyphon
