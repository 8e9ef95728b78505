// JSON Schema as a grammar: what a model may write so that the value fits. Every keyword is
// enforced or refused with its place; none is dropped. The grammar may allow less than the schema
// (properties in the schema's order, no properties beyond those it names unless it asks for them,
// numbers without an exponent where they are bounded), never more. Exceptions that the standard
// makes too: keywords that only describe, and formats of OpenAPI that say how a number is stored.
//
// Time and memory are linear in the schema, but for allOf, whose parts are merged.
#pragma once

#include <memory>
#include <string>

#include "core/json.h"

namespace polyphon {

// Converts several schemas into rules of one grammar.
class SchemaConverter {
 public:
  // Every rule's name begins with `prefix`: letters, digits and '-'.
  explicit SchemaConverter(std::string prefix);
  ~SchemaConverter();

  // The name of the rule that reads a value of the schema. Throws Error{kInvalidArgument, `field`}
  // whose message holds the place in the schema, as in "response_format: #/properties/age/minimum
  // must be a number". `reference` names a part of the schema to convert instead of the whole.
  std::string add(const OrderedJson& schema, const std::string& field,
                  const std::string& reference = "#");

  // The rules so far, as GBNF.
  const std::string& rules() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// What a response_format asks for: its empty schema is any object, not any value.
OrderedJson response_schema(const OrderedJson& schema);

// A whole grammar for the schema of a response_format. Throws as SchemaConverter::add().
std::string schema_to_gbnf(const OrderedJson& schema, const std::string& field);

// Whether a value of the schema may be a string. `document` is what references are looked up in.
bool may_be_string(const OrderedJson& schema, const OrderedJson& document);

}  // namespace polyphon
