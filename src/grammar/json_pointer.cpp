#include "grammar/json_pointer.h"

#include <algorithm>
#include <cctype>

namespace polyphon {
namespace {

std::string unescaped(std::string_view segment) {
  std::string result;
  for (size_t i = 0; i < segment.size(); ++i) {
    const auto hex = [&](size_t at) {
      return at < segment.size() && std::isxdigit(static_cast<unsigned char>(segment[at])) != 0;
    };
    if (segment[i] == '%' && hex(i + 1) && hex(i + 2)) {
      result += static_cast<char>(std::stoi(std::string(segment.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else if (segment[i] == '~' && i + 1 < segment.size()) {
      result += segment[++i] == '1' ? '/' : '~';
    } else {
      result += segment[i];
    }
  }
  return result;
}

}  // namespace

std::string json_pointer_segment(const std::string& name) {
  std::string result;
  for (const char c : name) {
    if (c == '~')
      result += "~0";
    else if (c == '/')
      result += "~1";
    else if (c == '%')
      result += "%25";
    else
      result += c;
  }
  return result;
}

std::string json_pointer_child(const std::string& pointer, const std::string& name) {
  return pointer + "/" + json_pointer_segment(name);
}

std::string json_pointer_child(const std::string& pointer, size_t index) {
  return pointer + "/" + std::to_string(index);
}

const OrderedJson* at_json_pointer(const OrderedJson& document, std::string_view pointer) {
  const OrderedJson* at = &document;
  pointer.remove_prefix(1);
  while (!pointer.empty()) {
    if (pointer.front() != '/') return nullptr;
    pointer.remove_prefix(1);
    const std::string key = unescaped(pointer.substr(0, pointer.find('/')));
    pointer.remove_prefix(std::min(pointer.find('/'), pointer.size()));
    if (at->is_object()) {
      const auto found = at->find(key);
      if (found == at->end()) return nullptr;
      at = &*found;
    } else if (at->is_array() && !key.empty() &&
               key.find_first_not_of("0123456789") == std::string::npos && key.size() < 8 &&
               std::stoul(key) < at->size()) {
      at = &(*at)[std::stoul(key)];
    } else {
      return nullptr;
    }
  }
  return at;
}

}  // namespace polyphon
