#include "base/utf8.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace polyphon {
namespace {

const std::string kReplacement = "\xEF\xBF\xBD";

// Encodes without any check, so that surrogates and values past U+10FFFF come out too.
std::string encode(uint32_t code) {
  const auto byte = [](uint32_t value) { return static_cast<char>(value); };
  if (code < 0x80) return {byte(code)};
  if (code < 0x800) return {byte(0xC0 | code >> 6), byte(0x80 | (code & 63))};
  if (code < 0x10000)
    return {byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 63)), byte(0x80 | (code & 63))};
  return {byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 63)), byte(0x80 | (code >> 6 & 63)),
          byte(0x80 | (code & 63))};
}

TEST(Utf8, ExactlyTheUnicodeScalarsAreValid) {
  for (uint32_t code = 0; code < 0x140000; ++code) {
    const bool scalar = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    ASSERT_EQ(is_valid_utf8(encode(code)), scalar) << std::hex << code;
  }
}

TEST(Utf8, OverlongFormsAndStrayBytesAreInvalid) {
  for (const char* text :
       {"\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\x80", "\xBF",
        "\xF5\x80\x80\x80", "\xFF", "\xFE", "\xC3", "\xE2\x82", "\xF0\x9F\x98", "a\xE2\x82z"})
    EXPECT_FALSE(is_valid_utf8(text)) << testing::PrintToString(text);
  EXPECT_TRUE(is_valid_utf8(""));
  EXPECT_TRUE(is_valid_utf8(std::string_view("a\0b", 3)));
}

TEST(Utf8, EachInvalidByteIsReplaced) {
  EXPECT_EQ(sanitize_utf8("a\xFFz"), "a" + kReplacement + "z");
  EXPECT_EQ(sanitize_utf8("\xE2\x82"), kReplacement + kReplacement);
  EXPECT_EQ(sanitize_utf8("\xE2\x28\xA1"), kReplacement + "(" + kReplacement);
  EXPECT_EQ(sanitize_utf8("\xED\xA0\x80"), kReplacement + kReplacement + kReplacement);
}

TEST(Utf8, PrefixStopsBeforeACutCharacter) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  const size_t complete[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
  for (size_t length = 0; length <= text.size(); ++length)
    EXPECT_EQ(complete_utf8_prefix(text.substr(0, length)), complete[length]) << length;
  EXPECT_EQ(complete_utf8_prefix("\xE2\x28"), 2u) << "no later byte can complete it";
  EXPECT_EQ(complete_utf8_prefix("a\xFF"), 2u);
  EXPECT_EQ(complete_utf8_prefix("\xF4\x90"), 2u) << "past U+10FFFF";
}

std::string random_text(Random& random) {
  std::string text;
  for (uint64_t i = random.next() % 12; i > 0; --i) {
    if (random.next() % 3 == 0) {
      text += static_cast<char>(random.next());
    } else {
      const std::string character = encode(static_cast<uint32_t>(random.next() % 0x110000));
      text += character.substr(0, 1 + random.next() % character.size());
    }
  }
  return text;
}

TEST(Utf8, RandomBytesKeepTheProperties) {
  Random random(1);
  for (int trial = 0; trial < 20000; ++trial) {
    const std::string text = random_text(random);
    const std::string clean = sanitize_utf8(text);
    ASSERT_TRUE(is_valid_utf8(clean));
    ASSERT_EQ(is_valid_utf8(text), clean == text);
    const size_t complete = complete_utf8_prefix(text);
    ASSERT_LE(text.size() - complete, 3u);
    if (is_valid_utf8(text)) {
      ASSERT_EQ(complete, text.size());
    }
    // Streamed by any cut, the pieces say the same as the whole.
    const size_t cut = complete_utf8_prefix(text.substr(0, random.next() % (text.size() + 1)));
    ASSERT_EQ(sanitize_utf8(text.substr(0, cut)) + sanitize_utf8(text.substr(cut)), clean);
  }
}

}  // namespace
}  // namespace polyphon
