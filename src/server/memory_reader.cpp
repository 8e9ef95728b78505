#include "server/memory_reader.h"

namespace polyphon {

MemoryRequest read_memory(const FieldReader& polyphon, const MemoryRequest& defaults) {
  MemoryRequest wish = defaults;
  const OrderedJson* value = polyphon.find("memory");
  if (!value) return wish;
  if (value->is_boolean() || *value == "off") {
    wish.enabled = *value == true;
    return wish;
  }
  if (!value->is_object())
    polyphon.refuse("memory", "must be true, false, \"off\" or an object of settings");
  const FieldReader fields(*value, "polyphon.memory");
  std::vector<const char*> keys = {"enabled", "keep"};
  fields.read_table(memory_fields(), wish, keys);
  fields.allow_only(keys);
  wish.enabled = fields.boolean("enabled").value_or(true);
  wish.keep = fields.boolean("keep").value_or(wish.keep);
  validate(wish);
  return wish;
}

}  // namespace polyphon
