#include "grammar/schema_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"

namespace polyphon {
namespace {

constexpr int kMaxMergeDepth = 64;
constexpr size_t kMaxAlternatives = 256;

[[noreturn]] void refuse_merge(const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument, why);
}

OrderedJson as_array(const OrderedJson& value) {
  return value.is_array() ? value : OrderedJson::array({value});
}

OrderedJson type_in_both(const OrderedJson& a, const OrderedJson& b) {
  OrderedJson both = OrderedJson::array();
  for (const OrderedJson& x : as_array(a))
    for (const OrderedJson& y : as_array(b)) {
      const bool narrower = x == "integer" && y == "number";
      const bool wider = x == "number" && y == "integer";
      if (x == y || narrower || wider) both.push_back(wider ? y : x);
    }
  if (both.empty())
    throw SchemaContradiction(fmt::format("it must be {} and {}", a.dump(), b.dump()));
  return both.size() == 1 ? both[0] : both;
}

bool contains(const OrderedJson& array, const OrderedJson& value) {
  return std::find(array.begin(), array.end(), value) != array.end();
}

class Merger {
 public:
  explicit Merger(const SchemaByReference& by_reference) : by_reference_(by_reference) {}

  OrderedJson merge(const OrderedJson& a, const OrderedJson& b, int depth) {
    if (depth > kMaxMergeDepth) refuse_merge("allOf and $ref nest too deep");
    for (const OrderedJson* schema : {&a, &b})
      if (*schema == false) throw SchemaContradiction("a part of it allows no value");
    if (a == true) return b;
    if (b == true || a == b) return a;
    if (!a.is_object() || !b.is_object()) refuse_merge("a schema must be an object, true or false");
    if (a.contains("$ref")) return merge(followed(a, depth), b, depth + 1);
    if (b.contains("$ref")) return merge(a, followed(b, depth), depth + 1);
    OrderedJson result = a;
    merge_properties(a, b, result, depth);
    for (const auto& [keyword, value] : b.items()) {
      if (keyword == "properties") continue;
      const auto own = result.find(keyword);
      if (own == result.end())
        result[keyword] = value;
      else if (*own != value && !is_annotation(keyword))
        *own = combined(keyword, *own, value, depth);
    }
    settle_values(result);
    return result;
  }

 private:
  // The schema with what its reference means in place of the reference.
  OrderedJson followed(const OrderedJson& schema, int depth) {
    OrderedJson rest = schema;
    rest.erase("$ref");
    return merge(by_reference_(schema.at("$ref").get<std::string>()), rest, depth + 1);
  }

  OrderedJson combined(const std::string& keyword, const OrderedJson& a, const OrderedJson& b,
                       int depth) {
    if (keyword == "type") return type_in_both(a, b);
    if (keyword == "required" || keyword == "allOf") {
      OrderedJson all = a;
      for (const OrderedJson& item : b)
        if (!contains(all, item)) all.push_back(item);
      return all;
    }
    if (keyword == "enum") {
      OrderedJson both = OrderedJson::array();
      for (const OrderedJson& value : a)
        if (contains(b, value)) both.push_back(value);
      if (both.empty()) throw SchemaContradiction("its enums share no value");
      return both;
    }
    if (keyword == "const")
      throw SchemaContradiction(fmt::format("it must be {} and {}", a.dump(), b.dump()));
    const bool numbers = a.is_number() && b.is_number();
    if (numbers && (keyword.starts_with("min") || keyword == "exclusiveMinimum"))
      return a < b ? b : a;
    if (numbers && (keyword.starts_with("max") || keyword == "exclusiveMaximum"))
      return a < b ? a : b;
    if (keyword == "additionalProperties" || keyword == "items") {
      if (a == false || b == false) return false;
      return merge(a, b, depth + 1);
    }
    if (keyword == "anyOf" || keyword == "oneOf") return product(a, b, depth);
    if (keyword == "uniqueItems") return true;
    refuse_merge(fmt::format("'{}' stands in two parts of allOf and cannot be combined", keyword));
  }

  // One of `a` and one of `b`: every pair that does not contradict itself.
  OrderedJson product(const OrderedJson& a, const OrderedJson& b, int depth) {
    OrderedJson pairs = OrderedJson::array();
    if (a.size() * b.size() > kMaxAlternatives)
      refuse_merge(fmt::format("alternatives in allOf make {} pairs: at most {}",
                               a.size() * b.size(), kMaxAlternatives));
    for (const OrderedJson& x : a)
      for (const OrderedJson& y : b) {
        try {
          pairs.push_back(merge(x, y, depth + 1));
        } catch (const SchemaContradiction&) {
        }
      }
    if (pairs.empty()) throw SchemaContradiction("no two alternatives of its parts fit together");
    return pairs;
  }

  // A property of one side alone is to the other an additional one.
  void merge_properties(const OrderedJson& a, const OrderedJson& b, OrderedJson& result,
                        int depth) {
    static const OrderedJson kNone = OrderedJson::object();
    const auto of = [](const OrderedJson& schema, const char* key) -> const OrderedJson& {
      const auto found = schema.find(key);
      return found == schema.end() ? kNone : *found;
    };
    const OrderedJson &mine = of(a, "properties"), &yours = of(b, "properties");
    if (mine.empty() && yours.empty()) return;
    OrderedJson all = OrderedJson::object();
    const auto add = [&](const std::string& name, const OrderedJson& schema,
                         const OrderedJson& other, const OrderedJson& others) {
      const auto extra = other.find("additionalProperties");
      if (!others.contains(name) && extra != other.end()) {
        try {
          all[name] = merge(schema, *extra, depth + 1);
        } catch (const SchemaContradiction&) {
          all[name] = false;
        }
      } else {
        all[name] = others.contains(name) ? merge(schema, others.at(name), depth + 1) : schema;
      }
    };
    for (const auto& [name, schema] : mine.items()) add(name, schema, b, yours);
    for (const auto& [name, schema] : yours.items())
      if (!mine.contains(name)) add(name, schema, a, mine);
    result["properties"] = std::move(all);
  }

  // const and enum of the merged schema, which came from different sides.
  static void settle_values(OrderedJson& schema) {
    if (!schema.contains("const") || !schema.contains("enum")) return;
    if (!contains(schema["enum"], schema["const"]))
      throw SchemaContradiction(fmt::format("{} is not one of its enum", schema["const"].dump()));
    schema.erase("enum");
  }

  const SchemaByReference& by_reference_;
};

}  // namespace

bool is_annotation(const std::string& keyword) {
  static const std::set<std::string> kAnnotations = {"title",
                                                     "description",
                                                     "default",
                                                     "examples",
                                                     "example",
                                                     "deprecated",
                                                     "readOnly",
                                                     "writeOnly",
                                                     "$schema",
                                                     "$id",
                                                     "$comment",
                                                     "$defs",
                                                     "definitions",
                                                     "$anchor",
                                                     "strict",
                                                     "contentEncoding",
                                                     "contentMediaType",
                                                     "contentSchema",
                                                     "externalDocs",
                                                     "xml",
                                                     "discriminator"};
  return kAnnotations.contains(keyword) || keyword.starts_with("x-");
}

OrderedJson merge_schemas(const OrderedJson& a, const OrderedJson& b,
                          const SchemaByReference& by_reference) {
  return Merger(by_reference).merge(a, b, 0);
}

}  // namespace polyphon
