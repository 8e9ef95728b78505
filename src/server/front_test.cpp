// Clients that are idle, slow, broken or gone, over real sockets, with a fake model. Each test has
// more than twice as many such clients as the server has threads.
#include "server/front.h"

#include <gmock/gmock.h>

#include <condition_variable>
#include <deque>
#include <filesystem>

#include "server/server_for_test.h"
#include "server/wire_for_test.h"

namespace polyphon {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kHealth = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kBody = R"({"prompt":"a","max_tokens":3})";
const std::string kComplete =
    "POST /v1/completions HTTP/1.1\r\nContent-Length: " + std::to_string(kBody.size()) + "\r\n\r\n";

std::string with_body(size_t bytes) {
  return "POST /v1/completions HTTP/1.1\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n";
}

class FrontTest : public ::testing::TestWithParam<bool> {
 protected:
  FrontTest() {
    options_.threads = 17;  // one thread for requests that generate
    if (!GetParam()) return;
    const auto folder = std::filesystem::path(::testing::TempDir());
    options_.tls_certificate = folder / "front_test_cert.pem";
    options_.tls_key = folder / "front_test_key.pem";
    write_certificate(options_.tls_certificate, options_.tls_key);
  }
  void start() {
    running_ = std::make_unique<RunningServer>(
        options_,
        [this](const FakeRow& row, std::span<float> logits) {
          std::unique_lock lock(mutex_);
          changed_.wait(lock, [this] { return open_; });
          logits[static_cast<size_t>(row.row.token == 'a' ? 'b' : 'a')] = 100;
        },
        DecoderOptions{2048, 64, 128});
  }
  void TearDown() override { set_gate(true); }

  // While the gate is closed, no step is decoded.
  void set_gate(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  Wire connect() const { return Wire(running_->server->port(), GetParam()); }
  void expect_health() const {
    Wire wire = connect();
    wire.send(kHealth);
    EXPECT_THAT(wire.receive_response(), EndsWith("{\"status\":\"ok\"}"));
  }
  EngineStatus engine() const { return running_->reasoner->engine()->status(); }

  ServerOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;  // mutex_
  std::unique_ptr<RunningServer> running_;
};

INSTANTIATE_TEST_SUITE_P(Both, FrontTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Tls" : "Plain"; });

TEST_P(FrontTest, IdleConnectionsCostNoThread) {
  start();
  std::deque<Wire> idle;
  for (int i = 0; i < 500; ++i) {
    idle.push_back(connect());
    idle.back().send(kHealth);
    EXPECT_THAT(idle.back().receive_response(), StartsWith("HTTP/1.1 200"));
  }
  expect_health();
  idle.front().send(kComplete + kBody);
  EXPECT_THAT(idle.front().receive_response(), HasSubstr("\"text\":\"bab\""));
  running_->stop();  // with all connections still open
  EXPECT_EQ(idle.back().receive_all(), "");
}

TEST_P(FrontTest, HalfSentHeadsCostNoThread) {
  start();
  std::deque<Wire> slow;
  for (int i = 0; i < 500; ++i) {
    slow.push_back(connect());
    slow.back().send(kHealth.substr(0, 1 + static_cast<size_t>(i) % (kHealth.size() - 1)));
  }
  expect_health();
  slow.front().send(kHealth.substr(1));
  EXPECT_THAT(slow.front().receive_response(), StartsWith("HTTP/1.1 200"));
  running_->stop();
}

TEST_P(FrontTest, SlowBodiesCostNoThread) {
  start();
  std::deque<Wire> slow;
  for (int i = 0; i < 500; ++i) {
    slow.push_back(connect());
    slow.back().send(kComplete);
  }
  for (size_t byte = 0; byte < 3; ++byte)
    for (Wire& wire : slow) wire.send(kBody.substr(byte, 1));
  expect_health();
  slow.front().send(kBody.substr(3));
  EXPECT_THAT(slow.front().receive_response(), HasSubstr("\"text\":\"bab\""));
  running_->stop();
}

TEST_P(FrontTest, HealthAndMetricsAnswerWhileAllOtherThreadsAreBusy) {
  options_.threads = 1;
  start();
  set_gate(false);
  Wire first = connect(), second = connect();
  first.send(kComplete + kBody);
  while (engine().sessions_live + engine().sessions_waiting == 0) std::this_thread::yield();
  second.send(kComplete + kBody);
  expect_health();
  for (const std::string path : {"/metrics", "/slots", "/v1/health?x=1"}) {
    Wire wire = connect();
    wire.send("GET " + path + " HTTP/1.1\r\n\r\n");
    EXPECT_THAT(wire.receive_response(), StartsWith("HTTP/1.1 200")) << path;
  }
  set_gate(true);
  EXPECT_THAT(first.receive_response(), HasSubstr("\"text\":\"bab\""));
  EXPECT_THAT(second.receive_response(), HasSubstr("\"text\":\"bab\""));
}

TEST_P(FrontTest, PipelinedRequestsAreAnsweredInTheirOrder) {
  start();
  Wire wire = connect();
  wire.send(kHealth + kComplete + kBody + kHealth + "GET /nowhere HTTP/1.1\r\n\r\n" + kHealth);
  EXPECT_THAT(wire.receive_response(), HasSubstr("\"status\":\"ok\""));
  EXPECT_THAT(wire.receive_response(), HasSubstr("\"text\":\"bab\""));
  EXPECT_THAT(wire.receive_response(), HasSubstr("\"status\":\"ok\""));
  EXPECT_THAT(wire.receive_response(), StartsWith("HTTP/1.1 404"));
  // An error response announces that it closes the connection, and does so.
  EXPECT_EQ(wire.receive_all(), "");
}

TEST_P(FrontTest, AHalfClosedClientGetsItsAnswer) {
  for (const bool stream : {false, true}) {
    start();
    set_gate(false);
    const std::string body = stream ? R"({"prompt":"a","max_tokens":3,"stream":true})" : kBody;
    Wire wire = connect();
    wire.send(with_body(body.size()) + body);
    wire.end_sending();
    // The server asks whether the client is there: by an interim response, or by a comment in the
    // stream.
    wire.receive_until(stream ? ": still here" : "100 Continue\r\n\r\n");
    set_gate(true);
    EXPECT_THAT(wire.receive_all(), HasSubstr(stream ? "[DONE]" : "\"text\":\"bab\""));
    running_.reset();
  }
}

TEST_P(FrontTest, AClientThatIsGoneIsDetectedDuringSilence) {
  options_.drain_timeout_s = 3600;
  for (const char* body :
       {R"({"prompt":"a","max_tokens":3})", R"({"prompt":"a","max_tokens":3,"stream":true})"}) {
    start();
    set_gate(false);
    {
      Wire wire = connect();
      wire.send(with_body(std::string(body).size()) + body);
      while (engine().sessions_live == 0) std::this_thread::yield();
    }
    running_->server->stop();  // the request is cancelled while the gate is closed
    set_gate(true);
    running_->thread.join();
    while (engine().sessions_live > 0) std::this_thread::yield();
    EXPECT_EQ(engine().sessions_cancelled, 1);
  }
}

TEST_P(FrontTest, ChunkedBodiesAreRead) {
  start();
  Wire wire = connect();
  wire.send("POST /v1/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (size_t i = 0; i < kBody.size(); i += 5) {
    const std::string part = kBody.substr(i, 5);
    wire.send(std::to_string(part.size()) + ";x=y\r\n" + part + "\r\n");
  }
  wire.send("0\r\n\r\n" + kHealth);
  EXPECT_THAT(wire.receive_response(), HasSubstr("\"text\":\"bab\""));
  EXPECT_THAT(wire.receive_response(), HasSubstr("\"status\":\"ok\""));
}

TEST_P(FrontTest, AClientThatExpectsContinueGetsIt) {
  start();
  Wire wire = connect();
  wire.send("POST /v1/completions HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: " +
            std::to_string(kBody.size()) + "\r\n\r\n");
  EXPECT_EQ(wire.receive_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  wire.send(kBody);
  EXPECT_THAT(wire.receive_response(), StartsWith("HTTP/1.1 200"));
}

TEST_P(FrontTest, LargeOrInvalidRequestsAreRefusedAndTheReasonArrives) {
  options_.max_body_bytes = 100'000;
  start();
  const std::string chunked = "POST /tokenize HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::vector<std::pair<std::string, int>> table = {
      {"GET /health HTTP/1.1\r\nA: " + std::string(9000, 'a') + "\r\n\r\n", 431},
      {"GET /health HTTP/1.1\r\nA: " + std::string(1'000'000, 'a') + "\r\n\r\n", 431},
      {"GET /" + std::string(50'000, 'a') + " HTTP/1.1\r\n\r\n", 414},
      {with_body(1'000'000) + std::string(1'000'000, ' '), 413},
      {with_body(2'000'000'000), 413},
      {chunked + "f4240\r\n" + std::string(1'000'000, ' '), 413},
      {"GARBAGE\r\n\r\n", 400},
      {"GET /health HTTP/9.9\r\n\r\n", 400},
      {std::string("\x16\x03\x01\x02\x00", 5), 400},
      {"POST /tokenize HTTP/1.1\r\nContent-Length: ten\r\n\r\n", 400},
      {chunked + "what\r\n", 400},
  };
  for (const auto& [request, status] : table) {
    Wire wire = connect();
    wire.send(request);
    const std::string answer = wire.receive_response();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(status))) << request.substr(0, 100);
    EXPECT_THAT(answer, HasSubstr("\"error\":{")) << request.substr(0, 100);
  }
  expect_health();
}

TEST_P(FrontTest, ASlowBodyIsCutOffWithAReason) {
  options_.io_timeout_s = 1;
  start();
  Wire wire = connect();
  wire.send(with_body(1000) + "x");
  EXPECT_THAT(wire.receive_response(), StartsWith("HTTP/1.1 408"));
}

// The front alone, with the test's own handler.
class FrontAloneTest : public ::testing::Test {
 protected:
  void start(size_t most_connections) {
    options_.threads = 3;
    options_.io_timeout_s = 1;
    front_ = std::make_unique<Front>(options_, std::set<std::string>{"/urgent"}, most_connections);
    front_->Get("/wait", [&](const httplib::Request&, httplib::Response& response) {
      std::unique_lock lock(mutex_);
      ++waiting_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return open_; });
      response.set_content("done", "text/plain");
    });
    front_->Get("/urgent", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("done", "text/plain");
    });
    front_->Get("/large", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(std::string(64 << 20, 'x'), "text/plain");
    });
    port_ = front_->bind_to_any_port("127.0.0.1");
    thread_ = std::jthread([this] { front_->run(); });
  }
  void TearDown() override {
    set_gate(true);
    front_->finish();
  }
  void set_gate(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    waiting_ = 0;
    changed_.notify_all();
  }
  void wait_for(int waiting) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ == waiting; });
  }
  static void get(Wire& wire, const std::string& path) {
    wire.send("GET " + path + " HTTP/1.1\r\n\r\n");
    EXPECT_THAT(wire.receive_response(), EndsWith("done"));
  }

  ServerOptions options_;
  std::unique_ptr<Front> front_;
  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;  // mutex_
  int waiting_ = 0;   // mutex_
  std::jthread thread_;
};

TEST_F(FrontAloneTest, TheConnectionThatWasSilentLongestIsReplaced) {
  start(3);
  std::deque<Wire> silent;
  for (int i = 0; i < 3; ++i) silent.emplace_back(port_, false);
  Wire fourth(port_, false);
  get(fourth, "/wait");
  EXPECT_EQ(silent[0].receive_all(), "");
  get(silent[1], "/wait");
  get(silent[2], "/wait");
}

TEST_F(FrontAloneTest, ConnectionsBeingServedAreNotReplaced) {
  start(3);
  set_gate(false);
  std::deque<Wire> wires;
  for (int i = 0; i < 3; ++i) wires.emplace_back(port_, false).send("GET /wait HTTP/1.1\r\n\r\n");
  wait_for(3);
  Wire refused(port_, false);
  EXPECT_THAT(refused.receive_all(), StartsWith("HTTP/1.1 503"));
  set_gate(true);
  for (Wire& wire : wires) EXPECT_THAT(wire.receive_response(), EndsWith("done"));
}

TEST_F(FrontAloneTest, ClientsThatDoNotReadDelayNobodyForLong) {
  start(100);
  std::deque<Wire> deaf;
  for (int i = 0; i < 9; ++i) deaf.emplace_back(port_, false).send("GET /large HTTP/1.1\r\n\r\n");
  Wire urgent(port_, false), other(port_, false);
  get(urgent, "/urgent");
  get(other, "/wait");
  deaf.emplace_back(port_, false).send("GET /large HTTP/1.1\r\n\r\n");
  get(urgent, "/urgent");
}

}  // namespace
}  // namespace polyphon
