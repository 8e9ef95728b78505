#include "server/message_text.h"

#include "base/error.h"
#include "server/reply.h"

namespace polyphon {
namespace {

// Appends to `told` what `now` has beyond it, and returns that. If a reading takes back what was
// told, returns nothing.
std::string grow(std::string& told, const std::string& now) {
  if (!now.starts_with(told)) return "";
  std::string more = now.substr(told.size());
  told = now;
  return more;
}

// Text that the parser cannot read becomes content unchanged.
ParsedMessage parse(const MessageParser& parser, const std::string& text, bool partial) {
  try {
    return parser.parse(text, partial);
  } catch (const Error&) {
    return {text, "", {}};
  }
}

}  // namespace

MessageDelta MessageText::add(const std::string& text) {
  raw_ += text;
  return streaming_ ? read(true) : MessageDelta{};
}

MessageDelta MessageText::end(bool cut) { return read(cut); }

MessageDelta MessageText::read(bool partial) {
  ParsedMessage now = parse(*parser_, raw_, partial);
  MessageDelta delta;
  delta.content = grow(message_.content, now.content);
  delta.reasoning_content = grow(message_.reasoning_content, now.reasoning_content);
  for (size_t i = 0; i < now.tool_calls.size(); ++i) {
    ToolCall& call = now.tool_calls[i];
    if (i == message_.tool_calls.size()) {
      if (call.id.empty()) call.id = fresh_id("call");
      message_.tool_calls.push_back(call);
      delta.tool_calls.push_back({i, true, call.id, call.name, call.arguments});
      continue;
    }
    std::string more = grow(message_.tool_calls[i].arguments, call.arguments);
    if (!more.empty()) delta.tool_calls.push_back({i, false, "", "", std::move(more)});
  }
  return delta;
}

}  // namespace polyphon
