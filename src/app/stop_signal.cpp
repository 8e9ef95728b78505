#include "app/stop_signal.h"

#include <signal.h>
#include <unistd.h>

#include <string_view>

namespace polyphon {
namespace {

std::atomic<bool> asked_to_stop = false;
static_assert(std::atomic<bool>::is_always_lock_free);  // for the handler

void ask_to_stop(int) {
  constexpr std::string_view kNotice = "\nstopping; once more ends at once\n";
  asked_to_stop.store(true);
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kNotice.data(), kNotice.size());
}

}  // namespace

const std::atomic<bool>& stop_on_signals() {
  struct sigaction action{};
  action.sa_handler = ask_to_stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;  // the default is back afterwards
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
  return asked_to_stop;
}

}  // namespace polyphon
