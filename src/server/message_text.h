// Turns an answer's growing text into messages: the chat template's parser reads the whole text
// after each delta, and the difference to the last reading is sent: content, reasoning, tool calls.
// One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/chat_template.h"

namespace polyphon {

// A piece of a tool call. The first piece carries id and name.
struct ToolCallDelta {
  size_t index = 0;
  bool first = false;
  std::string id;
  std::string name;
  std::string arguments;
};

struct MessageDelta {
  std::string content;
  std::string reasoning_content;
  std::vector<ToolCallDelta> tool_calls;

  bool empty() const { return content.empty() && reasoning_content.empty() && tool_calls.empty(); }
};

class MessageText {
 public:
  // `streaming`: add() parses the text each time; otherwise only end() does.
  MessageText(std::shared_ptr<const MessageParser> parser, bool streaming)
      : parser_(std::move(parser)), streaming_(streaming) {}

  MessageDelta add(const std::string& text);
  // `cut`: the text was cut off before its end.
  MessageDelta end(bool cut);
  // The sum of the deltas so far; after end(), the whole message.
  const ParsedMessage& message() const { return message_; }

 private:
  MessageDelta read(bool partial);

  std::shared_ptr<const MessageParser> parser_;
  bool streaming_;
  std::string raw_;
  ParsedMessage message_;
};

}  // namespace polyphon
