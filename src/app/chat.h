// A conversation in the terminal without the terminal: what a line means, and the messages so far.
#pragma once

#include <string>
#include <variant>

#include "core/json.h"
#include "core/topology.h"

namespace polyphon {

// What a person typed. A line that begins with / is a command.
struct SayNothing {};
struct SayMessage {
  std::string text;
};
struct ShowHelp {};
struct NewConversation {};
struct ShowTopology {};
struct SetTopology {
  Topology topology;
};
struct Quit {};
struct Refusal {
  std::string why;  // an unknown command, a topology that cannot be, bytes that are no text
};
using ChatLine = std::variant<SayNothing, SayMessage, ShowHelp, NewConversation, ShowTopology,
                              SetTopology, Quit, Refusal>;
ChatLine parse_chat_line(const std::string& line);

// What ShowHelp shows: a line a command.
std::string chat_help();

// The messages of a chat as the model is given them.
class Conversation {
 public:
  explicit Conversation(std::string system) : system_(std::move(system)) { clear(); }

  void clear();
  void ask(const std::string& text);
  // The model's answer, whole or cut short. An empty one takes the question back: a question
  // without an answer would be read together with the next one.
  void answer(const std::string& text);
  // Drops the oldest question and its answer; false when only the last question is left.
  bool forget_oldest();

  const Json& messages() const { return messages_; }

 private:
  size_t first_turn() const { return system_.empty() ? 0 : 1; }

  std::string system_;
  Json messages_;
};

}  // namespace polyphon
