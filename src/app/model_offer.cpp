#include "app/model_offer.h"

#include <fmt/format.h>
#include <spawn.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <optional>

#include "app/model_catalogue.h"
#include "app/share_folder.h"
#include "base/error.h"

namespace polyphon {
namespace {

std::optional<CatalogueEntry> missing_model(const std::string& model) {
  const std::string name = model.empty() ? default_model_name() : model;
  for (CatalogueEntry& entry : model_catalogue())
    if (strcasecmp(entry.name.c_str(), name.c_str()) == 0 && !entry.present)
      return std::move(entry);
  return std::nullopt;
}

bool says_yes() {
  std::string line;
  if (!std::getline(std::cin, line)) return false;
  return line.empty() || line[0] == 'y' || line[0] == 'Y';
}

}  // namespace

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

void offer_model(const std::string& model) {
  if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) return;
  const auto missing = missing_model(model);
  if (!missing) return;
  std::cerr << fmt::format(
      "The {}model {} is not on this machine yet: {} MB, licence {}, kept in {}.\n"
      "Fetch it now? [Y/n] ",
      model.empty() ? "default " : "", missing->name, missing->bytes / 1000000, missing->licence,
      models_folder());
  if (!says_yes()) return;
  if (const int code = pull_model(missing->name); code != 0)
    throw Error(ErrorCode::kNotFound,
                fmt::format("{} was not fetched; `polyphon models pull {}` tries again",
                            missing->name, missing->name));
}

}  // namespace polyphon
