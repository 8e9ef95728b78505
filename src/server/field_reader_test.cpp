#include "server/field_reader.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/random.h"
#include "server/api_error.h"

namespace polyphon {
namespace {

using ::testing::HasSubstr;

// The field that `body` is refused for, and that the message shows `value`.
template <typename Body>
std::string refused(Body body, const std::string& value) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr(value));
    return error.field();
  }
  ADD_FAILURE() << "not refused";
  return "";
}

TEST(FieldReader, NullCountsAsAbsent) {
  const OrderedJson json = {{"a", nullptr}};
  const FieldReader fields(json);
  EXPECT_EQ(fields.string("a"), std::nullopt);
  EXPECT_EQ(fields.integer("b", 0, 1), std::nullopt);
  EXPECT_EQ(fields.array("a"), nullptr);
}

TEST(FieldReader, NamesThePathAndTheValue) {
  const OrderedJson json = {{"a", 5}, {"b", "text"}, {"c", -1}};
  const FieldReader fields(json, "outer");
  EXPECT_EQ(refused([&] { fields.string("a"); }, "5"), "outer.a");
  EXPECT_EQ(refused([&] { fields.boolean("a"); }, "5"), "outer.a");
  EXPECT_EQ(refused([&] { fields.number("b", 0, 1); }, "text"), "outer.b");
  EXPECT_EQ(refused([&] { fields.integer("c", 0, 9); }, "-1"), "outer.c");
  EXPECT_EQ(refused([&] { fields.object("c"); }, "-1"), "outer.c");
  EXPECT_EQ(refused([&] { fields.strings("c", 4); }, "-1"), "outer.c");
}

TEST(FieldReader, RefusesAbsurdNumbers) {
  for (const char* number : {"1e30", "-1e30", "1.5", "18446744073709551615", "9223372036854775808",
                             "-9223372036854775808", "1e308"}) {
    const OrderedJson json = {{"n", OrderedJson::parse(number)}};
    EXPECT_EQ(refused([&] { FieldReader(json).integer("n", 0, 100); }, ""), "n") << number;
  }
  const OrderedJson seed = {{"n", INT64_MAX}, {"m", INT64_MIN}};
  EXPECT_EQ(FieldReader(seed).integer("n", INT64_MIN, INT64_MAX), INT64_MAX);
  EXPECT_EQ(FieldReader(seed).integer("m", INT64_MIN, INT64_MAX), INT64_MIN);
  const OrderedJson whole = {{"n", 16.0}};
  EXPECT_EQ(FieldReader(whole).integer("n", 0, 100), 16);
}

TEST(FieldReader, RefusesUnknownFields) {
  const OrderedJson json = {{"topolgy", "8x8"}};
  EXPECT_EQ(refused([&] { FieldReader(json, "polyphon").allow_only({"topology"}); }, "topology"),
            "polyphon.topolgy");
}

TEST(ParseBody, RefusesWhatIsNotAnObject) {
  for (const char* body : {"", "{", "[]", "1", "{\"a\":}", "{\"a\":NaN}", "{\"a\":1e999}", "null",
                           "{\"a\":\"\xff\"}", "{\"a\":\"\\ud800\"}", "{} {}"})
    EXPECT_THROW(parse_body(body), Error) << body;
  EXPECT_EQ(parse_body("{\"a\":[1]}"), (OrderedJson{{"a", {1}}}));
}

TEST(ParseBody, BoundsTheDepth) {
  const auto nested = [](size_t depth) {
    return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_NO_THROW(parse_body(nested(50)));
  EXPECT_EQ(refused([&] { parse_body(nested(1000000)); }, "levels"), "");
}

// Whatever is done to a body, it is read or refused with an Error whose text is valid JSON again.
TEST(ParseBody, SurvivesDamage) {
  const std::string good = R"({"messages":[{"role":"user","content":"hé"}],"temperature":0.5})";
  Random random(7);
  for (int i = 0; i < 20000; ++i) {
    std::string body = good;
    for (uint64_t edits = 1 + random.next() % 4; edits > 0; --edits)
      body[random.next() % body.size()] = static_cast<char>(random.next());
    body.resize(random.next() % (body.size() + 1));
    try {
      EXPECT_TRUE(parse_body(body).is_object());
    } catch (const Error& error) {
      EXPECT_TRUE(OrderedJson::accept(to_text(error_body(error))));
    }
  }
}

}  // namespace
}  // namespace polyphon
