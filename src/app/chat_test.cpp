#include "app/chat.h"

#include <gtest/gtest.h>

namespace polyphon {
namespace {

template <typename T>
T line_as(const std::string& line) {
  const ChatLine parsed = parse_chat_line(line);
  EXPECT_TRUE(std::holds_alternative<T>(parsed)) << line << " is alternative " << parsed.index();
  return std::holds_alternative<T>(parsed) ? std::get<T>(parsed) : T{};
}

TEST(ChatLine, IsAMessageUnlessItBeginsWithASlash) {
  EXPECT_EQ(line_as<SayMessage>("  What is 1/2?  \r").text, "What is 1/2?");
  line_as<SayNothing>(" \t ");
  line_as<SayNothing>("");
  line_as<ShowHelp>("/help");
  line_as<NewConversation>(" /new ");
  line_as<Quit>("/quit");
  line_as<ShowTopology>("/topology");
  EXPECT_EQ(line_as<SetTopology>("/topology  4x64>1x32").topology.to_string(), "4x64>1x32");
  EXPECT_TRUE(line_as<SetTopology>("/topology auto").topology.is_auto());
}

TEST(ChatLine, WhatCannotBeIsRefusedInWords) {
  EXPECT_EQ(line_as<Refusal>("/topolgy 4x64").why,
            "unknown command '/topolgy'; did you mean '/topology'?");
  EXPECT_EQ(line_as<Refusal>("/sing").why, "unknown command '/sing'; /help lists the commands");
  EXPECT_NE(line_as<Refusal>("/topology 0x5").why.find("0x5"), std::string::npos);
  EXPECT_NE(line_as<Refusal>("\xff\xfe").why.find("UTF-8"), std::string::npos);
}

TEST(ChatLine, EveryCommandIsInTheHelp) {
  for (const char* command : {"/help", "/new", "/topology", "/quit"})
    EXPECT_NE(chat_help().find(command), std::string::npos) << command;
}

std::string contents(const Conversation& conversation) {
  std::string text;
  for (const Json& message : conversation.messages())
    text += message.at("content").get<std::string>() + " ";
  return text;
}

TEST(Conversation, KeepsTurnsInTheirOrder) {
  Conversation chat("system");
  chat.ask("one?");
  chat.answer("one.");
  chat.ask("two?");
  EXPECT_EQ(contents(chat), "system one? one. two? ");
  EXPECT_EQ(chat.messages()[2].at("role"), "assistant");
  chat.clear();
  EXPECT_EQ(contents(chat), "system ");
}

TEST(Conversation, AQuestionWithoutAnswerIsTakenBack) {
  Conversation chat("");
  chat.ask("one?");
  chat.answer("");
  EXPECT_EQ(contents(chat), "");
  chat.ask("two?");
  chat.answer("cut sho");
  EXPECT_EQ(contents(chat), "two? cut sho ");
}

TEST(Conversation, ForgetsOldTurnsButNeitherSystemNorTheLastQuestion) {
  for (const std::string system : {"", "system"}) {
    Conversation chat(system);
    const std::string first = system.empty() ? "" : "system ";
    chat.ask("one?");
    EXPECT_FALSE(chat.forget_oldest());
    chat.answer("one.");
    chat.ask("two?");
    EXPECT_TRUE(chat.forget_oldest());
    EXPECT_EQ(contents(chat), first + "two? ");
    EXPECT_FALSE(chat.forget_oldest());
  }
}

}  // namespace
}  // namespace polyphon
