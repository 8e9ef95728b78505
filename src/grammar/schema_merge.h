// What two JSON schemas ask for together, as one schema. Pure.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>

#include "core/json.h"

namespace polyphon {

// No value can satisfy both. what() says why.
class SchemaContradiction : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The schema that a "$ref" means. Throws Error for one that is not there.
using SchemaByReference = std::function<const OrderedJson&(const std::string&)>;

// Keywords that only describe, such as title; they constrain nothing.
bool is_annotation(const std::string& keyword);

// As allOf: [a, b]. Properties keep a's order, then b's. Throws SchemaContradiction; Error
// {kInvalidArgument} for keywords that cannot be combined, such as two patterns.
OrderedJson merge_schemas(const OrderedJson& a, const OrderedJson& b,
                          const SchemaByReference& by_reference);

}  // namespace polyphon
