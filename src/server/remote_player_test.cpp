// Self-play over real HTTP, with fake models.
#include "server/remote_player.h"

#include <gmock/gmock.h>

#include <thread>

#include "base/error.h"
#include "record/codec.h"
#include "selfplay/selfplay_for_test.h"
#include "server/auth.h"
#include "server/server_for_test.h"
#include "sessions/think_session.h"

namespace polyphon {
namespace {

using ::testing::HasSubstr;

constexpr Retries kImpatient{2, std::chrono::milliseconds(1)};
const DecoderOptions kSizes{1 << 15, 256, 2048};

class RemotePlayerTest : public SelfPlayTest {
 protected:
  RunningServer& start(ServerOptions options = {}, const std::string& version = "v1",
                       const FakeDecoder::Script& script = state_an_answer) {
    options.drain_timeout_s = 0;  // a stopping server cuts off running requests
    return *servers_.emplace_back(
        std::make_unique<RunningServer>(options, script, kSizes, version));
  }
  static std::unique_ptr<RemotePlayer> player(const RunningServer& server,
                                              const std::string& key = "") {
    return std::make_unique<RemotePlayer>(server.address(), key, kImpatient);
  }
  Trace session(Player& player) {
    Problem problem;
    problem.text = "How many letters has a word?";
    options_.counterfactuals.registers = 1;
    options_.seed = UINT64_MAX;
    const ThinkInput input = self_play_input(problem, options_, 7);
    return *player.play(input, self_play_terms(options_), {stop_}).trace;
  }

  std::vector<std::unique_ptr<RunningServer>> servers_;
};

// The trace's JSON without times.
Json without_times(const Trace& trace) {
  Json json = to_json(trace);
  for (const char* each : {"id", "created", "config_hash"}) json.erase(each);
  for (const char* each : {"trace_id", "timings", "registers"}) json["result"].erase(each);
  return json;
}

TEST_F(RemotePlayerTest, PlaysTheSameSessionAsThisProcess) {
  ReasonerPlayer here(*reasoner_);
  const auto there = player(start());
  EXPECT_EQ(there->identity().version, here.identity().version);
  EXPECT_EQ(there->identity().model_digest, here.identity().model_digest);
  const Json expected = without_times(session(here)), got = without_times(session(*there));
  for (const auto& [member, value] : expected.items()) EXPECT_EQ(got[member], value) << member;
}

TEST_F(RemotePlayerTest, ContinuesATextLikeThisProcess) {
  ReasonerPlayer here(*reasoner_);
  const Continuation from{"How many?\n", "root ::= \"Answer: \" [0-9]", {}, 16};
  const std::string expected = here.go_on(from, {}, {stop_});
  EXPECT_THAT(expected, HasSubstr("Answer: "));
  EXPECT_EQ(player(start())->go_on(from, {}, {stop_}), expected);
}

TEST_F(RemotePlayerTest, PlaysEachTopologyLikeThisProcess) {
  options_.topologies = parse_topology_play({"1x64", "4x16"}, 64, PlanCaps{});
  options_.problems = 3;
  const auto there = player(start());
  EXPECT_EQ(play({there.get()}).answers, 6);
  std::vector<std::string> played;
  read_rollouts(folder_, [&](const Trace& trace, const Outcome& outcome) {
    EXPECT_TRUE(outcome.answer_right.has_value());
    EXPECT_EQ(trace.request.merge, MergeMode::kVote);
    played.push_back(trace.result.topology.to_string());
  });
  EXPECT_EQ(played, (std::vector<std::string>{"1x64", "4x16", "1x64", "4x16", "1x64", "4x16"}));
}

TEST_F(RemotePlayerTest, AnotherServerPlaysTheProblemsOfOneThatDies) {
  RunningServer& first = start();
  const auto a = player(first), b = player(start());
  options_.problems = 30;
  on_session_ = [&](const SelfPlayReport& report) {
    if (report.problems == 5) first.stop();
  };
  const SelfPlayReport report = play({a.get(), b.get()});
  EXPECT_EQ(report.problems, 30);
  EXPECT_EQ(read_rollouts(folder_, [](const Trace&, const Outcome&) {}).traces, 30);
  ASSERT_EQ(dropped_.size(), 1u);
  EXPECT_THAT(dropped_[first.address()], HasSubstr(first.address()));
}

TEST_F(RemotePlayerTest, WhenAllServersFailALaterRunCanContinue) {
  const auto a = player(start()), b = player(start());
  on_session_ = [&](const SelfPlayReport& report) {
    if (report.problems == 4)
      for (const auto& server : servers_) server->stop();
  };
  options_.problems = 30;
  EXPECT_THAT(refusal([&] { play({a.get(), b.get()}); }), HasSubstr("http://127.0.0.1:"));
  EXPECT_EQ(dropped_.size(), 2u);
  on_session_ = [](const SelfPlayReport&) {};
  const auto c = player(start());
  const SelfPlayReport report = play({c.get()});
  EXPECT_GE(report.resumed, 4);
  EXPECT_EQ(report.resumed + report.problems, 30);
}

TEST_F(RemotePlayerTest, AServerOfAnotherVersionIsRefusedByName) {
  const auto a = player(start()), b = player(start({}, "v2"));
  EXPECT_THAT(refusal([&] { play({a.get(), b.get()}); }),
              HasSubstr(b->name() + " has the version v2, not v1"));
}

TEST_F(RemotePlayerTest, SendsItsApiKey) {
  ServerOptions options;
  options.api_key_hashes = {hash_api_key("secret")};
  const RunningServer& server = start(options);
  EXPECT_EQ(player(server, "secret")->identity().version, "v1");
  EXPECT_THAT(refusal([&] { player(server, "guess"); }), HasSubstr("answers 401: a valid API key"));
}

TEST_F(RemotePlayerTest, NamesAWrongAddress) {
  for (const char* address : {"127.0.0.1:8080", "ftp://host", "http://host/v1", "http://"})
    EXPECT_THAT(refusal([&] { RemotePlayer(address, "", kImpatient); }),
                HasSubstr("is not a server address"));
  RunningServer& server = start();
  server.stop();
  EXPECT_THAT(refusal([&] { player(server); }), HasSubstr("does not answer"));
}

// A refused request is not repeated, because it would be refused again.
TEST_F(RemotePlayerTest, DoesNotRepeatARefusedRequest) {
  const auto there = player(start());
  options_.streams = 33;  // exceeds the server's caps
  EXPECT_THAT(refusal([&] { session(*there); }), HasSubstr("answers 400"));
}

TEST_F(RemotePlayerTest, StopsRetryingWhenStopped) {
  RunningServer& server = start();
  RemotePlayer patient(server.address(), "", {1000, std::chrono::hours(1)});
  server.stop();
  std::jthread stopper([&] { stop_ = true; });
  try {
    session(patient);
    ADD_FAILURE() << "the server is gone";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
}

}  // namespace
}  // namespace polyphon
