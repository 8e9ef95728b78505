#include "core/ordered_json.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace polyphon {
namespace {

TEST(OrderedJson, AgreesWithTheLibraryAndKeepsTheOrder) {
  for (const char* text :
       {"{}", "[]", "1", "-2", "1.5e3", "18446744073709551615", "\"a\\u00e9\"", "null", "true",
        R"({"z":1,"a":{"y":[],"b":[{"k":null},2]},"m":[[[]]]})"}) {
    EXPECT_EQ(parse_ordered(text, 100).dump(), OrderedJson::parse(text).dump());
    EXPECT_EQ(Json(parse_ordered(text, 100)), Json::parse(text));
  }
  EXPECT_EQ(parse_ordered(R"({"z":1,"a":2,"z":[3],"b":4})", 100).dump(),
            R"({"z":[3],"a":2,"b":4})");
}

TEST(OrderedJson, DamagedTextIsRefusedWithItsPlace) {
  for (const char* text : {"", "{", "[1,", "{\"a\"}", "nul", "[1]]", "{\"a\":1,}", "\"\xff\""}) {
    try {
      parse_ordered(text, 100);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("is not valid JSON: ")) << error.what();
    }
  }
  EXPECT_NO_THROW(parse_ordered("[[[]]]", 3));
  EXPECT_THROW(parse_ordered("[[[[]]]]", 3), Error);
  EXPECT_THROW(parse_ordered(std::string(1'000'000, '['), 100), Error);
}

TEST(OrderedJson, AMillionMembersAreReadInOneGo) {
  std::string text = "{";
  for (int i = 0; i < 1'000'000; ++i) text += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
  EXPECT_EQ(parse_ordered(text + "}", 100).size(), 1'000'000u);
}

}  // namespace
}  // namespace polyphon
