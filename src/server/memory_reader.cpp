#include "server/memory_reader.h"

namespace polyphon {

MemoryRequest read_memory(const FieldReader& polyphon, const MemoryRequest& defaults) {
  constexpr int kMost = 1 << 20;  // validate() knows the real bounds
  MemoryRequest wish = defaults;
  const Json* value = polyphon.find("memory");
  if (!value) return wish;
  if (value->is_boolean() || *value == "off") {
    wish.enabled = *value == true;
    return wish;
  }
  if (!value->is_object())
    polyphon.refuse("memory", "must be true, false, \"off\" or an object of settings");
  const FieldReader fields(*value, "polyphon.memory");
  fields.allow_only({"enabled", "window_tokens", "keep_first_tokens", "max_nodes", "cadence_tokens",
                     "top_k", "max_recalls", "read_threshold", "write_threshold", "keep"});
  const auto whole = [&](const char* key, int& field) {
    if (const auto number = fields.integer(key, 0, kMost)) field = static_cast<int>(*number);
  };
  wish.enabled = fields.boolean("enabled").value_or(true);
  whole("window_tokens", wish.window_tokens);
  whole("keep_first_tokens", wish.keep_first_tokens);
  whole("max_nodes", wish.max_nodes);
  whole("cadence_tokens", wish.cadence_tokens);
  whole("top_k", wish.top_k);
  whole("max_recalls", wish.max_recalls);
  wish.read_threshold = fields.number("read_threshold", 0, 1).value_or(wish.read_threshold);
  wish.write_threshold = fields.number("write_threshold", 0, 1).value_or(wish.write_threshold);
  wish.keep = fields.boolean("keep").value_or(wish.keep);
  validate(wish);
  return wish;
}

}  // namespace polyphon
