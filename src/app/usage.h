// Wrong usage and help, the same for every command: checks of values, one line that says what was
// wrong and what may have been meant, and the layout of `--help`.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace polyphon {

// Checks whose errors go on after the option's name: "is '70000': must be 0 to 65535". Their
// descriptions are the ranges that help texts show.
CLI::Validator in_range(long long least, long long most);
CLI::Validator in_real_range(double least, double most);
CLI::Validator at_least(unsigned long long least);
CLI::Validator above_zero();
CLI::Validator one_of(const std::vector<std::string>& values);
// `parse` throws Error for a value that cannot be.
CLI::Validator parsed_by(const std::function<void(const std::string&)>& parse);

// "error: unknown subcommand 'thnk'; did you mean 'think'? See `polyphon --help`"
std::string usage_error(const CLI::App& app, const CLI::ParseError& error);

// The command that was asked for: the innermost one that the command line names.
const CLI::App& asked_command(const CLI::App& app);

// The help of a command that was named, or of the program, without the subcommand that it needs, as
// git and clap's programs print it; empty when a subcommand was given, even an unknown one.
std::string help_without_subcommand(const CLI::App& app);

// Makes `app` and the commands that are added to it later say range and default of every option in
// its help, and read defaults from the variables.
void use_help_layout(CLI::App& app);

// What help says of an option: its description, then range and default.
std::string option_help(const CLI::Option& option);

}  // namespace polyphon
