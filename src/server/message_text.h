// An answer's text as it grows, read anew by the template's parser after every delta, and what each
// reading adds to the one before: content, reasoning, tool calls.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/chat_template.h"

namespace polyphon {

// A piece of a tool call. Its first piece carries id and name.
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
  // `streaming`: add() reads the text each time; else only end() does.
  MessageText(std::shared_ptr<const MessageParser> parser, bool streaming)
      : parser_(std::move(parser)), streaming_(streaming) {}

  MessageDelta add(const std::string& text);
  // `cut`: the text stops before its end.
  MessageDelta end(bool cut);
  // As told by the deltas so far; after end(), the whole.
  const ParsedMessage& message() const { return message_; }

 private:
  MessageDelta read(bool partial);

  std::shared_ptr<const MessageParser> parser_;
  bool streaming_;
  std::string raw_;
  ParsedMessage message_;
};

}  // namespace polyphon
