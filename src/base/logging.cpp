#include "base/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "base/shown.h"

namespace polyphon {
namespace {

constexpr size_t kMostRecordBytes = 2000;
// Of what libraries print.
constexpr size_t kMostStrayBytes = 500;
constexpr int kMostStrayLines = 5;  // a second

class OneLine final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& record, const std::tm&,
              spdlog::memory_buf_t& line) override {
    const std::string text =
        shown({record.payload.data(), record.payload.size()}, kMostRecordBytes);
    line.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<OneLine>();
  }
};

}  // namespace

void init_logging(const std::string& level) {
  const auto parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off && level != "off")
    throw Error(ErrorCode::kInvalidArgument,
                "log level '" + level + "': use trace, debug, info, warn, error or off",
                "log_level");
  auto logger = std::make_shared<spdlog::logger>(
      "polyphon", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<OneLine>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %*");
  logger->set_formatter(std::move(formatter));
  logger->set_level(parsed);
  spdlog::set_default_logger(std::move(logger));
}

// What the C library hands over of one stream, which it locks meanwhile.
class StrayOutput::Lines {
 public:
  ~Lines() {
    if (!line_.empty()) log();
    tell_dropped();
  }

  static ssize_t write(void* lines, const char* bytes, size_t size) {
    static_cast<Lines*>(lines)->add({bytes, size});
    return static_cast<ssize_t>(size);
  }

 private:
  using Clock = std::chrono::steady_clock;

  void add(std::string_view bytes) {
    for (const char byte : bytes) {
      if (byte == '\n') {
        log();
        line_.clear();
      } else if (line_.size() < kMostStrayBytes) {
        line_ += byte;
      }
    }
  }

  void log() {
    if (Clock::now() - since_ > std::chrono::seconds(1)) {
      tell_dropped();
      since_ = Clock::now();
      logged_ = 0;
    }
    if (line_.find_first_not_of(" \t\r") == line_.npos) return;
    if (logged_++ < kMostStrayLines)
      spdlog::warn("stderr: {}", line_);
    else
      ++dropped_;
  }

  void tell_dropped() {
    if (dropped_ > 0) spdlog::warn("stderr: {} lines more", dropped_);
    dropped_ = 0;
  }

  std::string line_;
  Clock::time_point since_;
  int logged_ = 0, dropped_ = 0;
};

StrayOutput::StrayOutput()
    : lines_(std::make_unique<Lines>()),
      stream_(fopencookie(lines_.get(), "w", {nullptr, &Lines::write, nullptr, nullptr})),
      original_(stderr) {
  if (!stream_) return;  // no memory: it goes where it went
  setvbuf(stream_, nullptr, _IOLBF, BUFSIZ);
  stderr = stream_;
}

StrayOutput::~StrayOutput() {
  stderr = original_;
  if (stream_) std::fclose(stream_);
}

}  // namespace polyphon
