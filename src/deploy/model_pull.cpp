#include "deploy/model_pull.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "deploy/share_folder.h"

namespace polyphon {

// The work is Python's: packages are zip files from an index that pip knows.
int pull_model(const std::string& name) {
  const std::string script = share_path("models.py");
  const char* const arguments[] = {"python3", script.c_str(), "pull", name.c_str(), nullptr};
  pid_t pid = 0;
  const int failed =
      posix_spawnp(&pid, "python3", nullptr, nullptr, const_cast<char* const*>(arguments), environ);
  if (failed != 0)
    throw Error(ErrorCode::kInternal,
                fmt::format("cannot run python3 ({}): install python3", std::strerror(failed)));
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace polyphon
