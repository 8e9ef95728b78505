#include "grammar/json_schema.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "grammar/grammar_for_test.h"

namespace polyphon {
namespace {

OrderedJson parse(const std::string& text) { return OrderedJson::parse(text); }

TextReader reader_of(const std::string& schema) {
  return TextReader(schema_to_gbnf(parse(schema), "response_format"));
}

std::string schema_refusal(const OrderedJson& schema) {
  try {
    compile_for_test(schema_to_gbnf(schema, "response_format"));
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_LT(std::string(error.what()).size(), 400u);
    return error.what();
  }
}

struct Case {
  const char* schema;
  std::vector<const char*> fits;
  std::vector<const char*> misfits;
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    TextReader reader = reader_of(c.schema);
    for (const char* text : c.fits)
      EXPECT_TRUE(reader.reads(text)) << c.schema << " reads " << text;
    for (const char* text : c.misfits)
      EXPECT_FALSE(reader.reads(text)) << c.schema << " reads " << text;
  }
}

TEST(JsonSchema, TypesAndTheirBounds) {
  check({
      {"{}", {"{}", R"({"a":[1,{"b":null}]})"}, {"1", "[]"}},
      {"true", {"1", "null", "[]", R"("a\u00e9\n")"}, {"", "nul", R"("\ud800")"}},
      {R"({"type":"integer"})", {"0", "-12"}, {"01", "1.5", "-", "\"1\""}},
      {R"({"type":"number"})", {"0.5", "-1e10", "3"}, {".5", "1.", "+1"}},
      {R"({"type":["integer","null"]})", {"1", "null"}, {"1.5", "true"}},
      {R"({"type":"integer","minimum":3,"exclusiveMaximum":6})", {"3", "5"}, {"2", "6"}},
      {R"({"minimum":0.5,"maximum":1.5,"type":"number"})", {"0.5", "1.25", "1"}, {"0.4", "1.6"}},
      {R"({"minimum":3,"exclusiveMinimum":true,"type":"integer"})", {"4"}, {"3"}},
      {R"({"type":"string","minLength":2,"maxLength":3})",
       {R"("ab")", R"("a\n\u00e9")", "\"\xC3\xA9\xC3\xA9\""},
       {R"("a")", R"("abcd")"}},
      {R"({"pattern":"^\\d{3}-\\w+$"})", {R"("123-ab_1")"}, {R"("12-a")", R"("123-")"}},
      {R"({"format":"date"})", {R"("2024-02-28")"}, {R"("2024-13-01")", R"("2024-02-30")"}},
      {R"({"format":"date-time"})", {R"("2024-01-31T23:59:59Z")"}, {R"("2024-01-31")"}},
      {R"({"type":"string","format":"ipv4"})", {R"("192.168.0.1")"}, {R"("256.1.1.1")"}},
      {R"({"type":"string","format":"ipv6"})", {R"("::1")", R"("fe80::1")"}, {R"(":1")"}},
      {R"({"type":"string","format":"email"})", {R"("a.b@c.org")"}, {R"("a@b")", R"("@c.org")"}},
      {R"({"type":"string","format":"uuid"})",
       {R"("123e4567-e89b-12d3-a456-426614174000")"},
       {R"("123e4567")"}},
      {R"({"type":"integer","format":"int32"})", {"7"}, {"7.5"}},
      {R"({"type":"string","nullable":true})", {"null", R"("")"}, {"1"}},
      {R"({"const":{"a":[1,"x"]}})", {R"({"a":[1,"x"]})"}, {"{}"}},
      {R"({"enum":["a","ab","b",1,12,null]})",
       {R"("a")", R"("ab")", R"("b")", "1", "12", "null"},
       {R"("")", R"("abc")", "2", "11"}},
      {R"({"type":"string","enum":["a",1,"bcd"],"maxLength":2})", {R"("a")"}, {"1", R"("bcd")"}},
  });
}

TEST(JsonSchema, ArraysAndObjects) {
  check({
      {R"({"items":{"type":"integer"},"minItems":2,"maxItems":3})",
       {"[1,2]", "[1, 2,3]"},
       {"[]", "[1]", "[1,2,3,4]", "[1,\"a\"]"}},
      {R"({"type":"array","maxItems":0})", {"[]"}, {"[1]"}},
      {R"({"prefixItems":[{"const":1},{"const":2}]})", {"[1,2]"}, {"[1]", "[1,2,3]"}},
      {R"({"prefixItems":[{"const":1}],"items":{"const":5}})", {"[1]", "[1,5,5]"}, {"[]", "[1,1]"}},
      {R"({"items":[{"const":1}],"additionalItems":false})", {"[1]"}, {"[1,2]"}},
      {R"({"prefixItems":[{"const":1}],"minItems":2})", {"[1,7]"}, {"[1]"}},
      {R"({"properties":{"a":{"const":1},"b":{"const":2}},"required":["a","b"]})",
       {R"({"a":1,"b":2})", R"({ "a": 1, "b": 2 })"},
       {R"({"b":2,"a":1})", R"({"a":1})", R"({"a":1,"b":2,"c":3})"}},
      {R"({"properties":{"reasoning":{"type":"string"},"answer":{"type":"string"}},
           "required":["answer","reasoning"]})",
       {R"({"reasoning":"","answer":""})"},
       {R"({"answer":"","reasoning":""})"}},
      {R"({"properties":{"a":{"const":1},"b":{"const":2},"c":{"const":3}},"required":["b"]})",
       {R"({"b":2})", R"({"a":1,"b":2})", R"({"b":2,"c":3})", R"({"a":1,"b":2,"c":3})"},
       {"{}", R"({"a":1})", R"({"a":1,"c":3})", R"({"a":1,"a":1,"b":2})", R"({,"b":2})"}},
      {R"({"properties":{"a":{"const":1}},"additionalProperties":{"const":9}})",
       {"{}", R"({"a":1})", R"({"a":1,"b":9,"ab":9})", R"({"":9})"},
       {R"({"a":9})", R"({"b":1})", R"({"b":9,"a":1})"}},
      {R"({"additionalProperties":{"type":"integer"},"minProperties":1,"maxProperties":2})",
       {R"({"x":1})", R"({"x":1,"y":2})"},
       {"{}", R"({"x":1,"y":2,"z":3})", R"({"x":"1"})"}},
      {R"({"type":"object","additionalProperties":false})", {"{}"}, {R"({"a":1})"}},
      {R"({"patternProperties":{"^x-":{"const":1}}})", {R"({"x-a":1})"}, {R"({"y":1})"}},
      {R"({"type":"object","propertyNames":{"enum":["k"]}})", {R"({"k":1})"}, {R"({"l":1})"}},
      {R"({"required":["z"],"type":"object"})", {R"({"z":[]})"}, {"{}"}},
      {R"({"properties":{"a\"b~/c":{"const":1}},"required":["a\"b~/c"]})",
       {R"({"a\"b~/c":1})"},
       {"{}"}},
  });
}

TEST(JsonSchema, ReferencesAndCombinations) {
  check({
      {R"({"properties":{"next":{"$ref":"#"},"v":{"const":1}},"required":["v"]})",
       {R"({"v":1})", R"({"next":{"v":1},"v":1})"},
       {R"({"next":{},"v":1})"}},
      {R"({"$ref":"#/$defs/a~1b","$defs":{"a/b":{"$ref":"#/$defs/c"},"c":{"const":7}}})",
       {"7"},
       {"8"}},
      {R"({"$defs":{"t":{"anyOf":[{"type":"null"},{"items":{"$ref":"#/$defs/t"}}]}},"$ref":"#/$defs/t"})",
       {"null", "[null,[null]]"},
       {"1"}},
      {R"({"$ref":"#/$defs/n","maximum":5,"$defs":{"n":{"type":"integer","minimum":3}}})",
       {"3", "5"},
       {"2", "6"}},
      {R"({"anyOf":[{"type":"integer"},{"const":"x"}]})", {"1", R"("x")"}, {R"("y")"}},
      {R"({"oneOf":[{"type":"string"},{"type":"integer"}]})", {"1", R"("x")"}, {"null"}},
      {R"({"oneOf":[{"properties":{"k":{"const":"a"},"x":{"const":1}},"required":["k"]},
                    {"properties":{"k":{"const":"b"},"y":{"const":2}},"required":["k"]}],
           "type":"object"})",
       {R"({"k":"a","x":1})", R"({"k":"b","y":2})"},
       {R"({"k":"a","y":2})"}},
      {R"({"allOf":[{"properties":{"a":{"const":1}},"required":["a"]},
                    {"properties":{"b":{"const":2}},"required":["b"]}]})",
       {R"({"a":1,"b":2})"},
       {R"({"a":1})"}},
      {R"({"allOf":[{"type":"integer","minimum":1},{"type":"number","maximum":3}]})",
       {"1", "3"},
       {"0", "4", "1.5"}},
      {R"({"allOf":[{"properties":{"a":{}},"additionalProperties":false},
                    {"properties":{"b":{}}}]})",
       {"{}", R"({"a":1})"},
       {R"({"b":1})"}},
      {R"({"properties":{"a":{"const":1},"b":{"const":2}},"anyOf":[{"required":["a"]},{"required":["b"]}]})",
       {R"({"a":1})", R"({"b":2})", R"({"a":1,"b":2})"},
       {"{}"}},
      {R"({"allOf":[{"enum":[1,2,3]},{"enum":[2,3,4]}],"minimum":3})", {"3"}, {"2", "4"}},
      {R"({"anyOf":[false,{"const":1}]})", {"1"}, {"2"}},
  });
}

TEST(JsonSchema, WhatCannotBeEnforcedIsRefusedWithItsPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"type":"blob"})", "#/type is \"blob\""},
      {R"({"type":[]})", "#/type"},
      {R"({"properties":{"a":{"type":"string","minLength":5,"maxLength":2}}})",
       "#/properties/a/minLength is 5, above maxLength, which is 2"},
      {R"({"items":{"type":"array","minItems":5,"maxItems":2}})", "#/items/minItems is 5"},
      {R"({"type":"integer","minimum":5,"maximum":2})", "# has a minimum above its maximum"},
      {R"({"type":"integer","exclusiveMinimum":4,"exclusiveMaximum":5})", "no number lies between"},
      {R"({"pattern":"^a{5,2}$"})", "#/pattern"},
      {R"x({"pattern":"^(?=x)"})x", "#/pattern"},
      {R"({"pattern":7})", "#/pattern must be a string"},
      {R"({"format":"regex","type":"string"})", "#/format is \"regex\""},
      {R"({"type":"string","minLength":1000000000})", "#/minLength is 1000000000"},
      {R"({"type":"string","minLength":-1})", "#/minLength must be a whole number"},
      {R"({"type":"string","maxLength":"3"})", "#/maxLength must be a whole number"},
      {R"({"type":"number","multipleOf":0.5})", "#/multipleOf"},
      {R"({"type":"number","minimum":"3"})", "#/minimum must be a number"},
      {R"({"not":{"type":"string"}})", "#/not is not supported"},
      {R"({"if":{},"then":{}})", "#/if is not supported"},
      {R"({"properties":{"a/b":{"uniqueItems":true}}})", "#/properties/a~1b/uniqueItems"},
      {R"({"contains":{}})", "#/contains"},
      {R"({"dependentRequired":{"a":["b"]}})", "#/dependentRequired"},
      {R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "alternatives 0 and 1"},
      {R"({"oneOf":[]})", "#/oneOf must be an array"},
      {R"({"enum":[]})", "#/enum must be an array"},
      {R"({"enum":["a"],"pattern":"b"})", "#/pattern is not supported beside enum"},
      {R"({"enum":["a"],"type":"integer"})", "no value can fit"},
      {"false", "no value can fit"},
      {R"({"required":["a"],"type":"object","additionalProperties":false})", "no value can fit"},
      {R"({"allOf":[{"type":"string"},{"type":"integer"}]})", "no value can fit"},
      {R"({"allOf":[{"pattern":"a"},{"pattern":"b"}]})", "'pattern' stands in two parts"},
      {R"({"$ref":"other.json"})", "leads out of the schema"},
      {R"({"$ref":"#/nowhere"})", "leads to nothing"},
      {R"({"$ref":"#"})", "refers to itself"},
      {R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", "begins with itself"},
      {R"({"required":"a","type":"object"})", "#/required must be an array of strings"},
      {R"({"properties":[],"type":"object"})", "#/properties must be an object"},
      {R"({"properties":{"a":{}},"patternProperties":{"b":{}}})", "#/patternProperties"},
      {R"({"properties":{"a":{}},"minProperties":1})", "#/minProperties"},
      {R"({"properties":{"a":3}})", "#/properties/a must be a schema"},
      {"7", "# must be a schema"},
  };
  for (const auto& [schema, why] : cases)
    EXPECT_NE(schema_refusal(parse(schema)).find(why), std::string::npos)
        << schema << ": " << schema_refusal(parse(schema));
  OrderedJson deep = true;
  for (int i = 0; i < 3000; ++i) deep = OrderedJson{{"items", std::move(deep)}};
  EXPECT_NE(schema_refusal(deep).find("nests deeper"), std::string::npos);
}

TEST(JsonSchema, LongListsCostTimeInProportion) {
  OrderedJson optional = {{"type", "object"}, {"properties", OrderedJson::object()}};
  for (int i = 0; i < 200; ++i)
    optional["properties"]["option_" + std::to_string(i)] = {{"type", "integer"}};
  TextReader options(schema_to_gbnf(optional, "tools"));
  EXPECT_TRUE(options.reads("{}"));
  EXPECT_TRUE(options.reads(R"({"option_0":1,"option_17":2,"option_199":3})"));
  EXPECT_FALSE(options.reads(R"({"option_17":1,"option_0":2})"));

  OrderedJson values = OrderedJson::array();
  for (int i = 0; i < 20'000; ++i) values.push_back("value number " + std::to_string(i));
  TextReader any(schema_to_gbnf({{"enum", values}}, "response_format"));
  EXPECT_TRUE(any.reads("\"value number 0\"") && any.reads("\"value number 19999\""));
  EXPECT_FALSE(any.reads("\"value number 20000\"") || any.reads("\"value number \""));

  OrderedJson prefixes = OrderedJson::array();
  for (int i = 0; i < 2'000; ++i) prefixes.push_back(std::string(static_cast<size_t>(i), 'a'));
  TextReader nested(schema_to_gbnf({{"enum", prefixes}}, "response_format"));
  EXPECT_TRUE(nested.reads("\"" + std::string(1999, 'a') + "\""));
  EXPECT_FALSE(nested.reads("\"" + std::string(2000, 'a') + "\""));
}

TEST(JsonSchema, WhateverIsWrittenIsJson) {
  const char* schemas[] = {
      "true", "{}",
      R"({"properties":{"a":{"type":"string","maxLength":4},"b":{"items":{"type":"number"},"maxItems":3},
          "c":{"enum":["x","y\"z"]},"d":{"type":["boolean","null"]}},"required":["a","c"],
          "additionalProperties":{"type":"integer"}})",
      R"({"anyOf":[{"pattern":"^[\"\\\\a-c\\n]{1,5}$"},{"minimum":-0.5,"maximum":2,"type":"number"}]})"};
  for (const char* schema : schemas) {
    TextReader reader = reader_of(schema);
    int whole = 0;
    for (uint64_t seed = 0; seed < 100; ++seed) {
      bool ok = false;
      const std::string text = reader.random_text(seed, ok, 400);
      if (!ok) continue;
      ++whole;
      EXPECT_TRUE(Json::accept(text)) << schema << " wrote " << text;
    }
    EXPECT_GT(whole, 20) << schema;
  }
}

TEST(JsonSchema, SeveralSchemasShareAGrammar) {
  SchemaConverter converter("schema-");
  const std::string a = converter.add(parse(R"({"type":"string"})"), "a");
  const std::string b = converter.add(parse(R"({"items":{"type":"string"}})"), "b");
  TextReader reader("root ::= " + a + " | " + b + "\n" + converter.rules());
  EXPECT_TRUE(reader.reads("\"x\"") && reader.reads("[\"x\"]"));
  EXPECT_FALSE(reader.reads("[1]"));
}

TEST(JsonSchema, KnowsWhatMayBeAString) {
  const OrderedJson document = parse(R"({"$defs":{"s":{"type":"string"},"i":{"type":"integer"}}})");
  for (const char* yes : {"true", "{}", R"({"type":["null","string"]})", R"({"enum":[1,"a"]})",
                          R"({"$ref":"#/$defs/s"})", R"({"anyOf":[{"type":"integer"},{}]})"})
    EXPECT_TRUE(may_be_string(parse(yes), document)) << yes;
  for (const char* no : {R"({"type":"integer"})", R"({"enum":[1]})", R"({"$ref":"#/$defs/i"})",
                         R"({"properties":{}})", R"({"const":null})"})
    EXPECT_FALSE(may_be_string(parse(no), document)) << no;
}

}  // namespace
}  // namespace polyphon
