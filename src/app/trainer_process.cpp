#include "app/trainer_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/error.h"

namespace polyphon {
namespace {

constexpr int kNiceness = 10;  // interactive work goes first

std::atomic<pid_t> child = 0;
static_assert(std::atomic<pid_t>::is_always_lock_free);  // for the handler

void pass_on(int signal) {
  if (const pid_t pid = child.load()) kill(pid, signal);
}

}  // namespace

std::string trainer_beside_us() {
  std::error_code ignored;
  return (std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "polyphon-train")
      .string();
}

int run_trainer(const std::string& program, const std::vector<std::string>& arguments,
                const std::function<void(const std::string&)>& on_line) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw Error(ErrorCode::kInternal, "cannot make a pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (failed != 0) {
    close(ends[0]);
    throw Error(ErrorCode::kNotFound, "cannot start " + program + ": " + std::strerror(failed) +
                                          "; it is built where libtorch is installed");
  }
  setpriority(PRIO_PROCESS, static_cast<id_t>(pid), kNiceness);
  child = pid;
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, pass_on);

  std::FILE* const output = fdopen(ends[0], "r");
  std::string line;
  for (int c = 0; (c = std::getc(output)) != EOF || std::ferror(output) != 0;) {
    if (c == EOF) {  // a signal came
      std::clearerr(output);
    } else if (c != '\n') {
      line += static_cast<char>(c);
    } else {
      on_line(line);
      line.clear();
    }
  }
  std::fclose(output);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  child = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace polyphon
