#include "deploy/trainer_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "base/error.h"

namespace polyphon {
namespace {

constexpr int kNiceness = 10;     // interactive work goes first
constexpr int kStopPollMs = 100;  // a stop is heard of this late

// A running child and the pipe of its standard output. Ends with the child.
class Child {
 public:
  Child(const std::string& program, const std::vector<std::string>& arguments) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw Error(ErrorCode::kInternal, "cannot make a pipe");
    output_ = ends[0];
    const int failed = spawn(program, arguments, ends[1]);
    close(ends[1]);
    if (failed == 0) {
      setpriority(PRIO_PROCESS, static_cast<id_t>(pid_), kNiceness);
      return;
    }
    close(output_);
    throw Error(ErrorCode::kNotFound, "cannot start " + program + ": " + std::strerror(failed) +
                                          "; it is built where libtorch is installed");
  }
  ~Child() {
    if (pid_ == 0) return;
    terminate();
    wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void terminate() const { kill(pid_, SIGTERM); }
  // What it wrote since; nothing when `timeout_ms` have passed. False at the end of its output.
  bool read(std::string& text, int timeout_ms) const {
    pollfd polled{output_, POLLIN, 0};
    if (poll(&polled, 1, timeout_ms) <= 0) return true;
    std::array<char, 4096> chunk;
    const ssize_t size = ::read(output_, chunk.data(), chunk.size());
    if (size > 0) text.append(chunk.data(), static_cast<size_t>(size));
    return size > 0 || (size < 0 && errno == EINTR);
  }
  int wait() {
    close(output_);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  // Signals that threads of this process block or handle are the child's own again.
  int spawn(const std::string& program, const std::vector<std::string>& arguments, int output) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::vector<char*> argv = {const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const int failed =
        posix_spawn(&pid_, program.c_str(), &actions, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
  }

  pid_t pid_ = 0;
  int output_ = -1;
};

}  // namespace

std::string trainer_beside_us() {
  std::error_code ignored;
  return (std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "polyphon-train")
      .string();
}

int run_trainer(const std::string& program, const std::vector<std::string>& arguments,
                const std::function<void(const std::string&)>& on_line,
                const std::atomic<bool>& stop) {
  Child child(program, arguments);
  bool told = false;
  std::string text;
  while (child.read(text, kStopPollMs)) {
    if (stop && !told) child.terminate();
    told = told || stop;
    size_t begin = 0;
    for (size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
      on_line(text.substr(begin, end - begin));
    text.erase(0, begin);
  }
  return child.wait();
}

}  // namespace polyphon
