#include "server/request_frame.h"

#include <gtest/gtest.h>

namespace polyphon {
namespace {

using State = RequestFrame::State;

constexpr size_t kMostBody = 1000;

struct Looked {
  State state;
  int status = 0;
};

// Looks at the request at once and byte by byte; both must give the same result.
Looked look(const std::string& request) {
  RequestFrame whole(kMostBody);
  std::string bytes = request;
  const State at_once = whole.look(bytes);
  RequestFrame dripped(kMostBody);
  State state = State::kHead;
  std::string dripping;
  for (const char byte : request) {
    dripping.push_back(byte);
    state = dripped.look(dripping);
    if (state == State::kRefused) break;
    EXPECT_TRUE(state != State::kWhole || dripping.size() == request.size()) << dripping;
  }
  EXPECT_EQ(at_once, state) << request.substr(0, 200);
  return {state, dripped.status()};
}

TEST(RequestFrame, KnowsWhenARequestIsWhole) {
  const std::vector<std::string> whole = {
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\nHost: x\n\n",  // the HTTP library refuses it
      "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
      "POST / HTTP/1.1\r\ncontent-length:  4 \r\n\r\nbody",
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nTransfer-Encoding: "
      "Chunked\r\n\r\n4\r\nbody\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nTrailer: 1\r\n\r\n",
      "POST / HTTP/1.1\r\nContent-Length: ten\r\n\r\n",
      "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
      "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
  };
  for (const std::string& request : whole) EXPECT_EQ(look(request).state, State::kWhole) << request;
}

TEST(RequestFrame, WaitsForTheRest) {
  EXPECT_EQ(look("").state, State::kHead);
  EXPECT_EQ(look("GET / HTTP/1.1\r\nHost: x\r\n").state, State::kHead);
  EXPECT_EQ(look("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbod").state, State::kBody);
  const std::string chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* part :
       {"", "4", "4\r\n", "4\r\nbody", "4\r\nbody\r\n0\r\n", "4\r\nbody\r\n0\r\nT: 1\r\n"})
    EXPECT_EQ(look(chunked + part).state, State::kBody) << part;
}

TEST(RequestFrame, RefusesLargeOrInvalidRequests) {
  const std::string chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string many;
  for (int i = 0; i < 101; ++i) many += "A: b\r\n";
  const std::vector<std::pair<std::string, int>> table = {
      {"GET /" + std::string(40000, 'a'), 414},
      {"GET / HTTP/1.1\r\nA: " + std::string(9000, 'a') + "\r\n\r\n", 431},
      {"GET / HTTP/1.1\r\nA: " + std::string(70000, 'a'), 431},
      {"GET / HTTP/1.1\r\n" + many + "\r\n", 431},
      {"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413},
      {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413},
      {chunked + "3e9\r\n", 413},
      {chunked + "fffffffffffffffff\r\n", 413},
      {chunked + "1\r\nx\r\n3e8\r\n", 413},
      {chunked + std::string(5000, '0'), 400},
      {"\x16\x03\x01", 400},
      {"\r\nGET / HTTP/1.1\r\n\r\n", 400},
  };
  for (const auto& [request, status] : table) {
    const Looked looked = look(request);
    EXPECT_EQ(looked.state, State::kRefused) << request.substr(0, 100);
    EXPECT_EQ(looked.status, status) << request.substr(0, 100);
  }
}

TEST(RequestFrame, ReportsOnceThatTheClientExpectsContinue) {
  RequestFrame frame(kMostBody);
  std::string bytes = "POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
  const size_t size = bytes.size();
  EXPECT_EQ(frame.look(bytes), State::kBody);
  EXPECT_TRUE(frame.takes_continue());
  EXPECT_FALSE(frame.takes_continue());
  EXPECT_EQ(bytes.find("Expect"), std::string::npos);
  EXPECT_EQ(bytes.size(), size);
}

}  // namespace
}  // namespace polyphon
