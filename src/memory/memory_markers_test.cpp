#include "text/memory_markers.h"

#include <gtest/gtest.h>

#include "model/language_model.h"
#include "model/real_model_for_test.h"
#include "text/stream_listener.h"

namespace polyphon {
namespace {

struct Found {
  MarkerKind kind;
  std::string text;
  bool operator==(const Found&) const = default;
};

std::vector<Found> scan(const std::vector<std::string>& pieces) {
  MarkerScanner scanner;
  std::vector<Found> found;
  for (const std::string& piece : pieces)
    if (const auto marker = scanner.push(piece)) found.push_back({marker->kind, marker->text});
  return found;
}

std::vector<std::string> bytes_of(const std::string& text) {
  std::vector<std::string> bytes;
  for (char c : text) bytes.emplace_back(1, c);
  return bytes;
}

TEST(MarkerTest, IsFoundHoweverTheTextIsCut) {
  EXPECT_EQ(scan({"So [rem", "ember: the code", " is 4417", "]. Then"}),
            (std::vector<Found>{{MarkerKind::kRemember, "the code is 4417"}}));
  EXPECT_EQ(scan({"a", " [", "recall", ":", " code ", "]"}),
            (std::vector<Found>{{MarkerKind::kRecall, "code"}}));
  const std::string text = "x[recall:code][remember: a]";
  EXPECT_EQ(scan(bytes_of(text)),
            (std::vector<Found>{{MarkerKind::kRecall, "code"}, {MarkerKind::kRemember, "a"}}));
}

TEST(MarkerTest, OtherBracketsArePlainText) {
  for (const char* text :
       {"[remember: ]", "[remember:\nthe code]", "[remember the code]", "[Recall: code]",
        "recall: a]", "[recall: code", "[re: a]", "]", "[recall: two\nlines]"})
    EXPECT_TRUE(scan(bytes_of(text)).empty()) << text;
  EXPECT_TRUE(scan({"[remember: " + std::string(kMostMarkerBytes, 'x') + "]"}).empty());
  EXPECT_EQ(scan({"[remember: " + std::string(kMostMarkerBytes - 1, 'x') + "]"}).size(), 1u);
  // A bracket inside a marker starts a new marker.
  EXPECT_EQ(scan(bytes_of("[remember: a [recall: b]")),
            (std::vector<Found>{{MarkerKind::kRecall, "b"}}));
}

TEST(StreamListenerTest, SentencesEndAtMarksThatWhiteSpaceFollows) {
  StreamListener listener;
  std::vector<std::string> sentences;
  for (const char* piece : {"It", " is 3", ".", "5", ".", " So", " x", "\n", "[remember: a]", ".",
                            " Then", " y", "!", " z"}) {
    listener.hear(piece, -0.5);
    if (const auto sentence = listener.take_sentence()) {
      sentences.push_back(sentence->text);
      EXPECT_NEAR(sentence->confidence, std::exp(-0.5), 1e-9);
    }
  }
  EXPECT_EQ(sentences, (std::vector<std::string>{"It is 3.5.", "So x", "Then y!"}));
}

TEST(StreamListenerTest, TheTailBeginsWithAWord) {
  StreamListener listener;
  for (const char* piece : {"one ", "two ", "three"}) listener.hear(piece, 0);
  EXPECT_EQ(listener.tail(100), "one two three");
  EXPECT_EQ(listener.tail(7), " three");
}

// The grammar accepts exactly the markers that the scanner finds.
TEST(MarkerGrammarRealModel, AcceptsWhatTheScannerFinds) {
  const LanguageModel& model = real_model();
  const auto accepts = [&](const std::string& text) {
    const auto grammar = model.make_grammar({marker_grammar(), false, {}, ""});
    for (Token token : model.vocabulary().tokenize(text, false, false)) {
      if (!grammar->allows(token)) return false;
      grammar->accept(token);
    }
    // A complete marker allows nothing but the end.
    return !grammar->allows(model.vocabulary().tokenize("a", false, false)[0]);
  };
  for (const char* text : {"[remember: the code is 4417]", "[recall: code]", "[recall: é]"}) {
    EXPECT_TRUE(accepts(text)) << text;
    EXPECT_EQ(scan({text}).size(), 1u) << text;
  }
  for (const char* text :
       {"[remember: ]", "[remember the code]", "[recall: a\nb]", "[recall: code"})
    EXPECT_FALSE(accepts(text)) << text;
}

}  // namespace
}  // namespace polyphon
