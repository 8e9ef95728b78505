// polyphon-train as a child process: its lines as they come, and its end.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

namespace polyphon {

// polyphon-train beside the running program.
std::string trainer_beside_us();

// Runs the program at low priority and blocks until it ends; `on_line` gets each line of its
// standard output, without the line's end. Once `stop` is set the program gets SIGTERM, at which
// the trainer writes a checkpoint and ends. The exit code, or 128 + the signal that ended it.
// Throws Error{kNotFound} when it cannot be started; what `on_line` throws stops the program. Any
// thread.
int run_trainer(const std::string& program, const std::vector<std::string>& arguments,
                const std::function<void(const std::string&)>& on_line,
                const std::atomic<bool>& stop);

}  // namespace polyphon
