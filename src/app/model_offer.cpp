#include "app/model_offer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "base/error.h"
#include "deploy/model_catalogue.h"
#include "deploy/model_pull.h"

namespace polyphon {
namespace {

bool says_yes() {
  std::string line;
  if (!std::getline(std::cin, line)) return false;
  return line.empty() || line[0] == 'y' || line[0] == 'Y';
}

}  // namespace

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
