// Chat templates, tool-call grammars and the parsing of what the model answered, all by llama.cpp's
// `common` library. Immutable; every method may be called from any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/sampling.h"

namespace polyphon {

struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON text
};

struct ParsedMessage {
  std::string content;
  std::string reasoning_content;
  std::vector<ToolCall> tool_calls;
};

// Reads generated text as a message. Immutable.
class MessageParser {
 public:
  virtual ~MessageParser() = default;
  // `partial`: more text will come; unfinished parts are held back or closed as the format allows.
  // Throws Error{kInternal} when the text cannot be read as the format (the caller falls back to
  // plain content).
  virtual ParsedMessage parse(const std::string& text, bool partial) const = 0;
};

struct ChatInput {
  OrderedJson messages;              // OpenAI's array
  OrderedJson tools;                 // OpenAI's array, or null
  std::string tool_choice = "auto";  // "auto", "required", "none"
  bool parallel_tool_calls = false;
  OrderedJson json_schema;  // response_format's schema, or null; {} is any object
  std::string grammar;      // GBNF of the caller's own
  bool enable_thinking = true;
  OrderedJson template_kwargs;  // chat_template_kwargs, or null
};

struct ChatPrompt {
  std::string text;  // to be tokenized with parse_special and add_bos
  GrammarSpec grammar;
  std::vector<std::string> stops;  // of the template, beside the end-of-generation tokens
  std::shared_ptr<const MessageParser> parser;
};

class ChatTemplate {
 public:
  virtual ~ChatTemplate() = default;

  // Throws Error{kInvalidArgument} with the field at fault: unknown roles, content that is not
  // text, a bad tool or JSON schema. A grammar of the caller's own is not looked at.
  virtual ChatPrompt render(const ChatInput& input) const = 0;

  // What stands between an assistant's turn that was left open and the next one, when the user says
  // `instruction` in between: closes the turn, the user's turn, opens the assistant's. For ChatML:
  // "<|im_end|>\n<|im_start|>user\n...<|im_end|>\n<|im_start|>assistant\n".
  virtual std::string interjection(const std::string& instruction) const = 0;

  virtual std::string source() const = 0;  // the template's own text, for /props
};

}  // namespace polyphon
