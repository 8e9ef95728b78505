#include "server/message_text.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace polyphon {
namespace {

// Parses "think|say|{args}{args}": parts are held back until they are complete.
class PipeParser final : public MessageParser {
 public:
  ParsedMessage parse(const std::string& text, bool partial) const override {
    if (text.starts_with("!")) throw Error(ErrorCode::kInternal, "unreadable");
    ParsedMessage message;
    const size_t first = text.find('|');
    message.reasoning_content = text.substr(0, first);
    if (first == std::string::npos) return message;
    const size_t second = text.find('|', first + 1);
    message.content = text.substr(first + 1, second - first - 1);
    if (second == std::string::npos) return message;
    for (size_t at = text.find('{', second); at != std::string::npos; at = text.find('{', at + 1)) {
      const size_t end = text.find('}', at);
      const bool whole = end != std::string::npos;
      if (!whole && !partial) break;
      message.tool_calls.push_back(
          {"", "f", whole ? text.substr(at, end - at + 1) : text.substr(at)});
    }
    return message;
  }
};

TEST(MessageText, DeltasAddUpToTheWholeHoweverTheTextIsCut) {
  const std::string text = "hm so|it is|{1}{22}{333}";
  for (size_t cut = 1; cut <= text.size(); ++cut) {
    MessageText message(std::make_shared<PipeParser>(), true);
    ParsedMessage sum;
    const auto add = [&](const MessageDelta& delta) {
      sum.content += delta.content;
      sum.reasoning_content += delta.reasoning_content;
      for (const ToolCallDelta& call : delta.tool_calls) {
        EXPECT_EQ(call.first, call.index == sum.tool_calls.size());
        if (call.first) sum.tool_calls.push_back({call.id, call.name, ""});
        sum.tool_calls[call.index].arguments += call.arguments;
      }
    };
    for (size_t at = 0; at < text.size(); at += cut) add(message.add(text.substr(at, cut)));
    add(message.end(false));
    EXPECT_EQ(sum.reasoning_content, "hm so");
    EXPECT_EQ(sum.content, "it is");
    ASSERT_EQ(sum.tool_calls.size(), 3u);
    EXPECT_EQ(sum.tool_calls[2].arguments, "{333}");
    EXPECT_EQ(sum.tool_calls[1].name, "f");
    EXPECT_NE(sum.tool_calls[0].id, sum.tool_calls[1].id);
    EXPECT_EQ(message.message().tool_calls[1].id, sum.tool_calls[1].id);
  }
}

TEST(MessageText, SaysNothingBeforeTheEndUnlessStreaming) {
  MessageText message(std::make_shared<PipeParser>(), false);
  EXPECT_TRUE(message.add("a|b").empty());
  EXPECT_EQ(message.end(false).content, "b");
  EXPECT_EQ(message.message().reasoning_content, "a");
}

TEST(MessageText, UnreadableTextIsContent) {
  MessageText message(std::make_shared<PipeParser>(), true);
  EXPECT_EQ(message.add("!x").content, "!x");
  EXPECT_EQ(message.end(true).content, "");
  EXPECT_EQ(message.message().content, "!x");
}

}  // namespace
}  // namespace polyphon
