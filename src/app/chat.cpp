#include "app/chat.h"

#include <fmt/format.h>

#include "base/closest_word.h"
#include "base/error.h"
#include "base/utf8.h"

namespace polyphon {
namespace {

std::string trimmed(const std::string& text) {
  const char* const space = " \t\r\n";
  const size_t first = text.find_first_not_of(space);
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

ChatLine topology_line(const std::string& argument) {
  if (argument.empty()) return ShowTopology{};
  try {
    return SetTopology{parse_topology(argument)};
  } catch (const Error& error) {
    return Refusal{error.what()};
  }
}

}  // namespace

ChatLine parse_chat_line(const std::string& line) {
  if (!is_valid_utf8(line)) return Refusal{"the line is not valid UTF-8"};
  const std::string text = trimmed(line);
  if (text.empty()) return SayNothing{};
  if (text[0] != '/') return SayMessage{text};
  const size_t space = text.find(' ');
  const std::string command = text.substr(0, space);
  const std::string argument = space == std::string::npos ? "" : trimmed(text.substr(space));
  if (command == "/topology") return topology_line(argument);
  if (command == "/help") return ShowHelp{};
  if (command == "/new") return NewConversation{};
  if (command == "/quit") return Quit{};
  const auto meant = closest(command, {"/help", "/new", "/topology", "/quit"});
  return Refusal{
      fmt::format("unknown command '{}'; {}", command,
                  meant ? fmt::format("did you mean '{}'?", *meant) : "/help lists the commands")};
}

std::string chat_help() {
  return "/new               forget the conversation and begin another one\n"
         "/topology          show how the model thinks\n"
         "/topology 4x128    think in 4 streams of 128 tokens; auto: the model chooses\n"
         "/help              this list\n"
         "/quit              end; Ctrl-D does the same\n"
         "Ctrl-C             stop the answer; at the prompt, twice ends\n";
}

void Conversation::clear() {
  messages_ = Json::array();
  if (!system_.empty()) messages_.push_back({{"role", "system"}, {"content", system_}});
}

void Conversation::ask(const std::string& text) {
  messages_.push_back({{"role", "user"}, {"content", text}});
}

void Conversation::answer(const std::string& text) {
  if (text.empty())
    messages_.erase(messages_.size() - 1);
  else
    messages_.push_back({{"role", "assistant"}, {"content", text}});
}

bool Conversation::forget_oldest() {
  if (messages_.size() < first_turn() + 3) return false;
  messages_.erase(first_turn());
  messages_.erase(first_turn());
  return true;
}

}  // namespace polyphon
