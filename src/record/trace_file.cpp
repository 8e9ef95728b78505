#include "record/trace_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "core/json_fault.h"
#include "record/codec.h"

namespace polyphon {
namespace {

// Removes a line that was written only in part, because the next line would be appended to it. If
// this fails too, read_traces() reports the line.
void take_back(int file, ssize_t written) {
  struct stat state{};
  if (::fstat(file, &state) != 0 || !S_ISREG(state.st_mode)) return;
  [[maybe_unused]] const int result = ::ftruncate(file, state.st_size - written);
}

[[noreturn]] void refuse_line(const std::string& path, int number, const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument,
              path + " line " + std::to_string(number) + ": " + why +
                  "; expected lines that `polyphon think --trace` wrote");
}

}  // namespace

void append_trace(const std::string& path, const Trace& trace) { append_traces(path, {&trace, 1}); }

void append_traces(const std::string& path, std::span<const Trace> traces) {
  std::string lines;
  for (const Trace& trace : traces)
    lines += to_json(trace).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0)
    throw Error(ErrorCode::kInternal, "cannot open " + path + ": " + std::strerror(errno));
  // A single write, so that lines of several processes do not mix.
  const ssize_t written = ::write(file, lines.data(), lines.size());
  const int why = written < 0 ? errno : ENOSPC;
  const bool whole = written == static_cast<ssize_t>(lines.size());
  if (!whole && written > 0) take_back(file, written);
  ::close(file);
  if (!whole)
    throw Error(ErrorCode::kInternal,
                "the trace was not written whole to " + path + ": " + std::strerror(why));
}

std::vector<Trace> read_traces(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::kNotFound, "cannot read " + path);
  std::vector<Trace> traces;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    try {
      traces.push_back(trace_from_json(Json::parse(line)));
    } catch (const Json::exception& error) {
      refuse_line(path, number, "not a trace: " + json_fault(error));
    } catch (const std::exception& error) {
      refuse_line(path, number, error.what());
    }
  }
  return traces;
}

}  // namespace polyphon
