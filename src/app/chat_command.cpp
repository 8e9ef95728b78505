// polyphon chat: a conversation in the terminal. Streams are shown while they think and give way to
// the answer. Lines are edited by the terminal itself; they have no history.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <optional>
#include <random>
#include <utility>

#include "app/chat.h"
#include "app/command.h"
#include "app/model_offer.h"
#include "app/think_reporter.h"
#include "app/thought_flags.h"
#include "app/usage.h"
#include "base/error.h"
#include "base/utf8.h"
#include "deploy/load.h"
#include "deploy/model_catalogue.h"

namespace polyphon {
namespace {

struct ChatFlags {
  ModelFlags model;
  ThoughtFlags thought;
  std::string system;
  std::optional<uint64_t> seed;
};

// Ctrl-C as something to look at. Blocks SIGINT, so make it before any thread starts: then none of
// them takes the signal.
class Interrupts {
 public:
  Interrupts() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    file_ = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  }
  ~Interrupts() { close(file_); }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Whether one came since the last call.
  bool take() {
    signalfd_siginfo info{};
    return read(file_, &info, sizeof info) == sizeof info;
  }
  int file() const { return file_; }

 private:
  int file_;
};

// Lines of standard input, between which Ctrl-C is noticed.
class LineReader {
 public:
  enum class Got { kLine, kInterrupt, kEnd };

  explicit LineReader(Interrupts& interrupts) : interrupts_(interrupts) {}

  Got next(std::string& line) {
    while (!take_line(line)) {
      pollfd files[] = {{STDIN_FILENO, POLLIN, 0}, {interrupts_.file(), POLLIN, 0}};
      if (poll(files, 2, -1) < 0 && errno != EINTR) return Got::kEnd;
      if (interrupts_.take()) return Got::kInterrupt;
      if (files[0].revents != 0 && !fill()) {
        line = std::exchange(waiting_, "");  // a last line without its end
        return line.empty() ? Got::kEnd : Got::kLine;
      }
    }
    return Got::kLine;
  }

 private:
  bool take_line(std::string& line) {
    const size_t end = waiting_.find('\n');
    if (end == std::string::npos) return false;
    line = waiting_.substr(0, end);
    waiting_.erase(0, end + 1);
    return true;
  }
  bool fill() {
    char bytes[4096];
    const ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    if (count > 0) waiting_.append(bytes, static_cast<size_t>(count));
    return count > 0 || (count < 0 && errno == EINTR);
  }

  Interrupts& interrupts_;
  std::string waiting_;  // read, but not yet a line
};

class Chat {
 public:
  Chat(const ChatFlags& flags, const Config& config, Reasoner& reasoner, Interrupts& interrupts)
      : reasoner_(reasoner),
        interrupts_(interrupts),
        conversation_(flags.system),
        input_(flags.thought.input(config)),
        seed_(flags.seed.value_or(std::random_device{}())) {}

  // Until the input ends or the person does.
  void run() {
    const bool person = isatty(STDIN_FILENO) != 0;
    LineReader reader(interrupts_);
    if (person)
      std::cerr << fmt::format("{}; thinks {}. /help lists the commands.\n",
                               model_title(reasoner_.model().info()), input_.topology.to_string());
    bool interrupted = false;  // by the Ctrl-C before this line
    for (std::string line;;) {
      if (person) std::cerr << "\n> " << std::flush;
      const LineReader::Got got = reader.next(line);
      if (got == LineReader::Got::kEnd || (got == LineReader::Got::kInterrupt && interrupted)) {
        if (person) std::cerr << '\n';
        return;
      }
      if (got == LineReader::Got::kInterrupt) {
        interrupted = true;
        std::cerr << "\nCtrl-C once more, Ctrl-D or /quit ends the chat";
        continue;
      }
      const ChatLine parsed = parse_chat_line(line);
      if (std::holds_alternative<Quit>(parsed)) return;
      interrupted = !obey(parsed);
    }
  }

 private:
  // False when Ctrl-C stopped it.
  bool obey(const ChatLine& line) {
    if (std::holds_alternative<ShowHelp>(line)) {
      std::cerr << chat_help();
    } else if (std::holds_alternative<NewConversation>(line)) {
      conversation_.clear();
      std::cerr << "a new conversation\n";
    } else if (std::holds_alternative<ShowTopology>(line)) {
      std::cerr << "topology " << input_.topology.to_string() << '\n';
    } else if (const auto* wanted = std::get_if<SetTopology>(&line)) {
      input_.topology = wanted->topology;
      std::cerr << "topology " << input_.topology.to_string() << '\n';
    } else if (const auto* refused = std::get_if<Refusal>(&line)) {
      std::cerr << "error: " << refused->why << '\n';
    } else if (const auto* message = std::get_if<SayMessage>(&line)) {
      return say(message->text);
    }
    return true;
  }

  bool say(const std::string& text) {
    conversation_.ask(text);
    ThinkReporter report(ThinkShown::kAnswer);
    bool whole = true;
    try {
      forget_what_does_not_fit();
      input_.chat.messages = conversation_.messages();
      input_.sampling.seed = seed_++;
      input_.answer_sampling = input_.sampling;
      whole = think(report);
    } catch (const Error& error) {
      report.end();
      std::cerr << "error: " << error.what() << '\n';
    }
    conversation_.answer(report.answer());
    return whole;
  }

  // False when Ctrl-C stopped it.
  bool think(ThinkReporter& report) {
    SessionTicket ticket = reasoner_.think(input_, {});
    while (true) {
      const auto event = ticket.next(std::chrono::milliseconds(100));
      if (interrupts_.take()) {
        report.end();
        std::cerr << "\nstopped; Ctrl-C once more ends the chat";
        return false;
      }
      if (!event) continue;
      if (const auto* failed = std::get_if<Failed>(&*event)) throw failed->error;
      report(*event);
      if (const auto* finished = std::get_if<Finished>(&*event)) {
        report.end();
        print_out("\n");
        std::cerr << fmt::format(
            "({} · {} tokens of thought in {:.1f} s, {:.1f} s in all)\n",
            finished->trace->result.topology.to_string(), finished->usage.reasoning_tokens,
            finished->timings.streams_ms / 1000, finished->timings.total_ms / 1000);
        return true;
      }
    }
  }

  // A topology that is too large even for the last question costs nothing: think() says so.
  void forget_what_does_not_fit() {
    Conversation shorter = conversation_;
    int forgotten = 0;
    for (input_.chat.messages = shorter.messages(); !reasoner_.misfit(input_).empty();
         ++forgotten) {
      if (!shorter.forget_oldest()) return;
      input_.chat.messages = shorter.messages();
    }
    conversation_ = std::move(shorter);
    if (forgotten > 0)
      std::cerr << fmt::format(
          "(the oldest {} of the conversation no longer fit{} and {} left out)\n",
          forgotten == 1 ? "turn" : fmt::format("{} turns", forgotten), forgotten == 1 ? "s" : "",
          forgotten == 1 ? "is" : "are");
  }

  Reasoner& reasoner_;
  Interrupts& interrupts_;
  Conversation conversation_;
  ThinkInput input_;
  uint64_t seed_;  // of the next answer
};

int chat(const ChatFlags& flags) {
  if (!is_valid_utf8(flags.system))
    throw Error(ErrorCode::kInvalidArgument, "the system message is not valid UTF-8");
  const Config config = flags.model.config();
  offer_model(config.model);
  Interrupts interrupts;
  const auto reasoner = load_reasoner(config);
  Chat(flags, config, *reasoner, interrupts).run();
  return 0;
}

}  // namespace

void add_chat_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<ChatFlags>();
  CLI::App& command =
      *app.add_subcommand("chat", "Talk with the model in the terminal and watch it think");
  flags->model.add_to(command);
  flags->thought.add_to(command);
  command.add_option("--system", flags->system, "System message before the conversation")
      ->default_str("none");
  command.add_option("--seed", flags->seed, "Random seed of the first answer; the next adds 1")
      ->check(at_least(0))
      ->default_str("another one each time");
  command.callback([flags, &run] { run = [flags] { return chat(*flags); }; });
}

}  // namespace polyphon
