// Keeps the caller's schemas away from llama.cpp's converter, which drops what it does not know:
// the template is rendered with placeholders, and the grammar that comes back gets our rules in
// their place. Pure.
//
// llama.cpp's templates write a call's arguments in one of two ways. As one JSON object: then the
// rule of the whole object is replaced. Or each in its own tags (Qwen3-Coder's way): then the rule
// of each argument is; strings stand there without quotes and are not constrained.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "grammar/json_schema.h"

namespace polyphon {

class SchemaPlaceholders {
 public:
  // The schema to give to llama.cpp for response_format.
  OrderedJson response_format(const OrderedJson& schema);
  // The tools to give to it: names and properties as they are, with other schemas. `tools` must
  // outlive this.
  OrderedJson tools(const OrderedJson& tools);

  // The grammar with the schemas' own rules. Throws Error{kInvalidArgument, field "tools" or
  // "response_format"}.
  std::string replace(const std::string& gbnf);

 private:
  struct Property {
    std::string reference;  // of its schema in the parameters, "#/properties/city"
    std::string literal;    // what the placeholder's rule holds and no other
  };
  struct Tool {
    std::string rule;  // the name of the whole object's rule begins so
    const OrderedJson* parameters;
    std::vector<Property> properties;
    bool has_marker;  // the only property is one of ours
  };

  OrderedJson stand_in(const OrderedJson& schema, const OrderedJson& document,
                       std::string& literal);

  std::vector<Tool> tools_;
  OrderedJson format_;
  std::string format_literal_;
  int constants_ = 0;
};

}  // namespace polyphon
