// The words of JSON Schema that stand for a fixed grammar. Pure.
#pragma once

#include <map>
#include <string>

namespace polyphon {

// Formats of strings that are enforced, as patterns that match the whole string.
const std::map<std::string, std::string>& string_formats();

// Whether a format only says how a program stores the value, not how JSON writes it (OpenAPI).
bool is_storage_format(const std::string& format);

// Rules that any schema may need, by name. '%' stands for the prefix of the other rules' names.
const std::map<std::string, std::string>& common_schema_rules();

}  // namespace polyphon
