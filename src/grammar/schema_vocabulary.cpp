#include "grammar/schema_vocabulary.h"

#include <fmt/format.h>

#include <set>

namespace polyphon {
namespace {

std::map<std::string, std::string> make_formats() {
  const std::string date =
      R"(\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8])))";
  const std::string time =
      R"((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))";
  const std::string byte = R"((?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d))";
  const std::string label = R"([A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)";
  const std::string hex = "[0-9A-Fa-f]{1,4}";
  const std::string atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
  std::map<std::string, std::string> formats = {
      {"date", date},
      {"time", time},
      {"date-time", date + "T" + time},
      {"duration",
       R"(P(?:\d+W|(?:\d+Y(?:\d+M(?:\d+D)?)?|\d+M(?:\d+D)?|\d+D)(?:T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S))?|T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S)))"},
      {"email", atom + "(?:\\." + atom + ")*@" + label + "(?:\\." + label + ")+"},
      {"hostname", label + "(?:\\." + label + ")*"},
      {"ipv4", byte + "(?:\\." + byte + "){3}"},
      {"ipv6",
       fmt::format("(?:{0}(?::{0}){{7}}|(?:{0}(?::{0}){{0,3}})?::(?:{0}(?::{0}){{0,2}})?)", hex)},
      {"uuid", "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"},
      {"uri", R"([A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]+)"}};
  for (auto& [name, pattern] : formats) pattern = "^" + pattern + "$";
  return formats;
}

}  // namespace

const std::map<std::string, std::string>& string_formats() {
  static const std::map<std::string, std::string> kFormats = make_formats();
  return kFormats;
}

bool is_storage_format(const std::string& format) {
  static const std::set<std::string> kStorage = {"int32", "int64",  "float",   "double",
                                                 "byte",  "binary", "password"};
  return kStorage.contains(format);
}

const std::map<std::string, std::string>& common_schema_rules() {
  static const std::map<std::string, std::string> kRules = {
      {"space", R"(| " " | "\n"{1,2} [ \t]{0,20})"},
      {"char",
       R"([^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" ([0-9a-cA-CefEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2})))"},
      {"string", R"("\"" %char* "\"")"},
      {"whole", R"("0" | [1-9] [0-9]{0,15})"},
      {"integer", R"("-"? %whole)"},
      {"number", R"("-"? %whole ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?)"},
      {"boolean", R"("true" | "false")"},
      {"null", R"("null")"},
      {"value", "%object | %array | %string | %number | %boolean | %null"},
      {"object",
       R"("{" %space (%string %space ":" %space %value (%space "," %space %string %space ":" %space %value)*)? %space "}")"},
      {"array", R"("[" %space (%value (%space "," %space %value)*)? %space "]")"},
  };
  return kRules;
}

}  // namespace polyphon
