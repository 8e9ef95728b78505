// The parts of SchemaConverter, for the files that implement it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "grammar/json_schema.h"
#include "grammar/number_range.h"
#include "grammar/pattern.h"
#include "grammar/schema_merge.h"
#include "grammar/value_trie.h"

namespace polyphon {

// Every convert_...() returns an expression of GBNF that reads a value of the schema. `place` is
// where the schema stands, for errors; `depth` is how many schemas it stands in. All throw Error,
// or SchemaContradiction where no value can fit.
class SchemaConverter::Impl {
 public:
  explicit Impl(std::string prefix) : prefix_(std::move(prefix)) {}
  std::string add(const OrderedJson& schema, const std::string& field,
                  const std::string& reference);
  const std::string& rules() const { return rules_; }

 private:
  struct Property {
    std::string member;  // expression of key and value
    bool required = false;
  };

  [[noreturn]] void refuse(const std::string& place, const std::string& why) const;

  // json_schema.cpp: rules, references and combinations.
  std::string fresh_name() { return fmt::format("{}{}", prefix_, ++names_); }
  void define(const std::string& name, const std::string& body);
  std::string rule(const std::string& body);
  AddRule adder();
  std::string common(const std::string& name);
  // An expression that reads a value of the schema.
  std::string convert(const OrderedJson& schema, const std::string& place, int depth);
  void check_keywords(const OrderedJson& schema, const std::string& place) const;
  const OrderedJson& by_reference(const std::string& reference) const;
  SchemaByReference lookup() const;
  OrderedJson merge(const OrderedJson& a, const OrderedJson& b, const std::string& place) const;
  std::string convert_reference(const OrderedJson& schema, const std::string& place, int depth);
  std::string convert_all_of(const OrderedJson& schema, const std::string& place, int depth);
  // Alternatives that contradict what stands beside them are left out.
  std::string convert_any_of(const OrderedJson& schema, const char* keyword,
                             const std::string& place, int depth);
  // oneOf means exactly one. A grammar can only say at least one, so no value may fit two.
  void check_disjoint(const OrderedJson& all, const std::string& place) const;
  const OrderedJson& followed(const OrderedJson& schema) const;
  bool disjoint(const OrderedJson& a, const OrderedJson& b, int depth) const;
  // As given, or as the keywords suggest; all types where nothing is said.
  std::vector<std::string> types_of(const OrderedJson& schema) const;
  std::string convert_types(const OrderedJson& schema, const std::string& place, int depth);
  std::string convert_type(const std::string& type, const OrderedJson& schema,
                           const std::string& place, int depth);
  std::optional<uint64_t> count(const OrderedJson& schema, const char* keyword,
                                const std::string& place) const;
  LengthBounds bounds(const OrderedJson& schema, const char* least, const char* most,
                      const std::string& place) const;
  static std::string repeated(const std::string& expression, uint64_t least,
                              std::optional<uint64_t> most);

  // schema_scalars.cpp: constants, strings and numbers.
  std::string convert_values(const OrderedJson& schema, const std::string& place);
  // Whether a value of enum fits the keywords beside it.
  bool fits(const OrderedJson& value, const OrderedJson& schema, const std::string& place) const;
  std::string convert_string(const OrderedJson& schema, const std::string& place);
  // Empty where nothing is asked for.
  std::string string_inside(const OrderedJson& schema, const std::string& place);
  std::string from_pattern(const std::string& pattern, const LengthBounds& length,
                           const std::string& place);
  std::optional<NumberBound> bound(const OrderedJson& schema, const char* keyword,
                                   const char* exclusive, bool low, const std::string& place);
  std::string convert_number(const std::string& type, const OrderedJson& schema,
                             const std::string& place);

  // schema_structures.cpp: arrays and objects.
  std::string convert_array(const OrderedJson& schema, const std::string& place, int depth);
  std::string items_of(const std::vector<std::string>& fixed,
                       const std::optional<std::string>& item, const LengthBounds& length);
  std::string convert_object(const OrderedJson& schema, const std::string& place, int depth);
  void check_object(const OrderedJson& schema, const std::string& place) const;
  // In the schema's order; then those that are required but not described.
  std::vector<Property> properties_of(const OrderedJson& schema, const std::string& place,
                                      int depth, std::vector<std::string>& names);
  // Key and value of a property that the schema does not name; empty where there is none.
  std::string extra_member(const OrderedJson& schema, const std::string& place, int depth,
                           const std::vector<std::string>& names);
  static std::string map_members(const std::string& extra, const std::string& comma,
                                 const LengthBounds& size);
  void check_size(const std::vector<Property>& properties, bool open, const LengthBounds& size,
                  const std::string& place) const;
  // Two rules a property: what may come from it on when none has been written, and when some have.
  std::string ordered_members(const std::vector<Property>& properties, const std::string& extra,
                              const std::string& comma);

  const std::string prefix_;
  const OrderedJson* document_ = nullptr;
  std::string field_;
  std::string rules_;
  std::set<std::string> common_;
  std::map<std::string, std::string> references_;            // names of their rules
  std::deque<std::pair<std::string, std::string>> waiting_;  // references whose rules are to come
  int64_t names_ = 0;
  size_t schemas_ = 0;
};

// "object", "array", ... as `type` names it; "integer" for whole numbers.
const char* type_of(const OrderedJson& value);

// A JSON value for an error, without the middle of a long one.
std::string shown_json(const OrderedJson& value);

}  // namespace polyphon
