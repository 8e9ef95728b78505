// polyphon-train as a child process: its lines as they come, the signals we get passed on to it.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace polyphon {

// polyphon-train beside the running program.
std::string trainer_beside_us();

// Runs the program at low priority and blocks until it ends; `on_line` gets each line of its
// standard output, without the line's end. SIGINT and SIGTERM go to it until then. Its exit code,
// 128 + the signal that ended it. Throws Error{kNotFound} when it cannot be started.
int run_trainer(const std::string& program, const std::vector<std::string>& arguments,
                const std::function<void(const std::string&)>& on_line);

}  // namespace polyphon
