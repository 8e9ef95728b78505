#include "app/usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/closest_word.h"
#include "base/error.h"

namespace polyphon {
namespace {

constexpr size_t kHelpColumn = 30;
constexpr size_t kHelpWidth = 68;  // of the descriptions, right of kHelpColumn

template <typename Number>
std::optional<Number> number_of(const std::string& text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

std::string refusal(const std::string& value, const std::string& expected) {
  return fmt::format("is '{}': must be {}", value, expected);
}

// "kv, prefill, compact or vote"
std::string alternatives(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i)
    text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  return text;
}

std::string suggestion(const std::string& word, const std::vector<std::string>& candidates) {
  const auto meant = closest(word, candidates);
  return meant ? fmt::format("; did you mean '{}'?", *meant) : "";
}

bool is_option(const std::string& argument) {
  return argument.size() > 1 && argument[0] == '-' && argument.find(' ') == std::string::npos;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> subcommand_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* sub : command.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  return names;
}

// What is wrong with an argument that no option or subcommand took; empty when there is none. A
// command that passes unknown options on has them rejected only for a likely misspelling.
std::string unknown_argument(const CLI::App& command) {
  const std::vector<std::string> extras = command.remaining();
  for (const std::string& extra : extras) {
    if (!is_option(extra)) continue;
    const std::string name = extra.substr(0, extra.find('='));
    const std::string meant = suggestion(name, option_names(command));
    if (!command.get_allow_extras() || !meant.empty())
      return fmt::format("unknown option '{}'{}", name, meant);
  }
  if (extras.empty() || command.get_allow_extras()) return "";
  const std::vector<std::string> subcommands = subcommand_names(command);
  return fmt::format("{} '{}'{}",
                     subcommands.empty() ? "unexpected argument" : "unknown subcommand",
                     extras.front(), suggestion(extras.front(), subcommands));
}

void replace_first(std::string& text, const std::string& from, const std::string& to) {
  if (const size_t at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
}

// The library's sentence as one of ours.
std::string reworded(const CLI::ParseError& error) {
  std::string text = error.what();
  if (text.starts_with("Could not convert: ")) {
    text.erase(0, text.find(": ") + 2);
    replace_first(text, " = ", " is '");
    return text + "': must be a number";
  }
  replace_first(text, ": is '", " is '");
  const size_t colon = text.find(": ");  // "--topology: topology '0x5' ..." names it twice
  if (colon != std::string::npos && text.starts_with("--")) {
    const std::string name = text.substr(2, colon - 2);
    if (text.compare(colon + 2, name.size() + 1, name + " ") == 0)
      text.erase(colon, 2 + name.size());
  }
  replace_first(text, " excludes ", " cannot be used with ");
  replace_first(text, " requires ", " needs ");
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (text.starts_with("A ")) text[0] = 'a';
  return text;
}

std::string wrapped(const std::string& text) {
  std::string lines;
  size_t used = 0, start = 0;
  while (start < text.size()) {
    const size_t end = std::min(text.find(' ', start), text.size());
    const size_t length = end - start;
    if (used > 0) {
      const bool full = used + 1 + length > kHelpWidth;
      lines += full ? '\n' : ' ';
      used = full ? 0 : used + 1;
    }
    lines += text.substr(start, length);
    used += length;
    start = end + 1;
  }
  return lines;
}

class HelpLayout : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_expected_max() == 0) return "";
    if (!option->get_option_text().empty()) return " " + option->get_option_text();
    const bool many = option->get_expected_max() > 1;
    return " " + option->get_type_name().substr(0, option->get_type_name().find(':')) +
           (many ? "..." : "");
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    return wrapped(option_help(*option));
  }
};

}  // namespace

CLI::Validator in_range(long long least, long long most) {
  const std::string expected = fmt::format("{} to {}", least, most);
  return {[=](std::string& text) {
            const auto value = number_of<long long>(text);
            return value && *value >= least && *value <= most ? "" : refusal(text, expected);
          },
          expected};
}

CLI::Validator at_least(unsigned long long least) {
  const std::string expected = fmt::format("{} or more", least);
  return {[=](std::string& text) {
            const auto value = number_of<unsigned long long>(text);
            return value && *value >= least ? "" : refusal(text, expected);
          },
          expected};
}

CLI::Validator in_real_range(double least, double most) {
  const std::string expected = fmt::format("{} to {}", least, most);
  return {[=](std::string& text) {
            const auto value = number_of<double>(text);
            return value && *value >= least && *value <= most ? "" : refusal(text, expected);
          },
          expected};
}

CLI::Validator above_zero() {
  return {[](std::string& text) {
            const auto value = number_of<double>(text);
            return value && *value > 0 && std::isfinite(*value) ? "" : refusal(text, "above 0");
          },
          "above 0"};
}

CLI::Validator one_of(const std::vector<std::string>& values) {
  return {[=](std::string& text) {
            if (std::find(values.begin(), values.end(), text) != values.end()) return std::string();
            return refusal(text, alternatives(values)) + suggestion(text, values);
          },
          alternatives(values)};
}

CLI::Validator parsed_by(const std::function<void(const std::string&)>& parse) {
  return {[=](std::string& text) -> std::string {
            try {
              parse(text);
              return "";
            } catch (const Error& error) {
              return error.what();
            }
          },
          ""};
}

const CLI::App& asked_command(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return *command;
}

std::string help_without_subcommand(const CLI::App& app) {
  const CLI::App& command = asked_command(app);
  const bool lacks_one = command.get_require_subcommand_min() > 0 && command.remaining().empty();
  return lacks_one ? app.help() + "\n" : "";
}

std::string usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = asked_command(app);
  std::string what = unknown_argument(command);
  if (what.empty()) what = reworded(error);
  const std::string option = what.substr(0, what.find(' '));
  const bool of_program = option.starts_with("--") && !command.get_option_no_throw(option);
  std::string name;  // "bench streams"
  for (const CLI::App* part = of_program ? &app : &command; part->get_parent();
       part = part->get_parent())
    name = " " + part->get_name() + name;
  return fmt::format("error: {}{} See `polyphon{} --help`", what, what.ends_with('?') ? "" : ".",
                     name);
}

std::string option_help(const CLI::Option& option) {
  const std::string text = option.get_description();
  if (option.get_expected_max() == 0) return text;  // a flag
  std::string facts;
  const auto add = [&](const std::string& fact) {
    if (!fact.empty()) facts += (facts.empty() ? "" : "; ") + fact;
  };
  const std::string type = option.get_type_name();
  if (const size_t range = type.find(':'); range != std::string::npos) add(type.substr(range + 1));
  std::string value = option.get_default_str();
  if (value.starts_with('[')) value = value.substr(1, value.size() - 2);
  if (option.get_required())
    add("required");
  else if (!value.empty())
    add("default " + value);
  for (const CLI::Option* needed : option.get_needs()) add("needs " + needed->get_name());
  return facts.empty() ? text : text + " (" + facts + ")";
}

void use_help_layout(CLI::App& app) {
  const auto layout = std::make_shared<HelpLayout>();
  layout->column_width(kHelpColumn);
  app.formatter(layout);
  app.option_defaults()->always_capture_default();
}

}  // namespace polyphon
