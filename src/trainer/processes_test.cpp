// Runs of two processes on this machine, by the loopback interface.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trainer/train_run_for_test.h"

namespace polyphon {
namespace {

using OnProgress = std::function<void(const Json&)>;

uint16_t free_port() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(listener);
  return ntohs(address.sin_port);
}

class ProcessesTest : public TrainTest {
 protected:
  TrainOptions two(const std::string& out, int rank, uint16_t port) const {
    TrainOptions two = options(out);
    two.accumulate = 1;
    two.processes = {.rank = rank, .size = 2, .on_this_machine = 2, .port = port};
    two.peer_timeout_seconds = 60;
    return two;
  }
  std::string error_file(int rank) const { return folder_ + "/error" + std::to_string(rank); }
  std::string error_of(int rank) const {
    std::ifstream file(error_file(rank));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // A process that trains: it ends with 0, or with 1 and its error in a file.
  pid_t start(const TrainOptions& options, const OnProgress& on_progress = {}) const {
    const pid_t child = fork();
    if (child != 0) return child;
    try {
      train(options, std::atomic<bool>(false), on_progress);
    } catch (const std::exception& error) {
      std::ofstream(error_file(options.processes.rank)) << error.what();
      _exit(1);
    }
    _exit(0);
  }
  // Its exit code, or 128 + the signal that ended it.
  static int end_of(pid_t child) {
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  // Both to their end.
  void run_two(const std::string& out, bool resume = false) const {
    const uint16_t port = free_port();
    TrainOptions first = two(out, 0, port), second = two(out, 1, port);
    first.resume = second.resume = resume;
    const pid_t children[] = {start(second), start(first)};
    for (const pid_t child : children) EXPECT_EQ(end_of(child), 0) << error_of(0) << error_of(1);
  }
};

// What differs is the order in which a step's gradients are added.
TEST_F(ProcessesTest, HaveTheCurveOfOneThatAccumulatesTwice) {
  run(options("one"));
  run_two("two");
  const auto loss = "/loss/tokens"_json_pointer, norm = "/gradient_norm"_json_pointer;
  const auto one = progress("one", loss), two = progress("two", loss);
  const auto one_norm = progress("one", norm), two_norm = progress("two", norm);
  ASSERT_EQ(one.size(), two.size());
  ASSERT_GT(one.size(), 15u);
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_NEAR(two[i], one[i], 1e-4 * one[i]) << "step " << i + 1;
    EXPECT_NEAR(two_norm[i], one_norm[i], 1e-3 * one_norm[i]) << "step " << i + 1;
  }
}

TEST_F(ProcessesTest, ADeadOneEndsTheRunWhichResumesToTheBit) {
  run_two("whole");
  const uint16_t port = free_port();
  const pid_t second = start(two("killed", 1, port));
  const pid_t first = start(two("killed", 0, port), [&](const Json& line) {
    if (line["step"].get<int>() == 5) kill(second, SIGKILL);
  });
  EXPECT_EQ(end_of(second), 128 + SIGKILL);
  EXPECT_EQ(end_of(first), 1);
  const std::string why = error_of(0);
  EXPECT_NE(why.find("process 0 of 2: another process of the run has ended"), std::string::npos)
      << why;
  EXPECT_NE(why.find("start all processes again with --resume"), std::string::npos) << why;
  run_two("killed", /*resume=*/true);
  EXPECT_EQ(curve("killed"), curve("whole"));
}

TEST_F(ProcessesTest, WithoutTheFirstTheLastCheckpointIsWhereOneAloneGoesOn) {
  run_two("whole");
  const uint16_t port = free_port();
  const pid_t second = start(two("killed", 1, port));
  const pid_t first = start(two("killed", 0, port), [](const Json& line) {
    if (line["step"].get<int>() == 5) raise(SIGKILL);
  });
  EXPECT_EQ(end_of(first), 128 + SIGKILL);
  EXPECT_EQ(end_of(second), 1);
  EXPECT_NE(error_of(1).find("the last checkpoint is in"), std::string::npos) << error_of(1);
  TrainOptions alone = options("killed");  // accumulates twice
  alone.resume = true;
  EXPECT_EQ(run(alone), TrainOutcome::kDone);
  const auto loss = "/loss/tokens"_json_pointer;
  const auto found = progress("killed", loss), expected = progress("whole", loss);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-4 * expected[i]);
}

TEST_F(ProcessesTest, OneThatWasToldOtherwiseIsRefused) {
  const uint16_t port = free_port();
  TrainOptions other = two("other", 1, port);
  other.learning_rate = 3e-3;
  const pid_t second = start(other), first = start(two("other", 0, port));
  EXPECT_EQ(end_of(second), 1);
  EXPECT_EQ(end_of(first), 1);
  EXPECT_NE(error_of(1).find("was given other options"), std::string::npos) << error_of(1);
}

}  // namespace
}  // namespace polyphon
