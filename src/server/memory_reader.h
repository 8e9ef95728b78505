#pragma once

#include "record/memory_request.h"
#include "server/field_reader.h"

namespace polyphon {

// The request's polyphon.memory: true, false, "off", or an object of wishes over the defaults,
// which switches memory on unless it says otherwise. Throws Error{kInvalidArgument} with the field.
MemoryRequest read_memory(const FieldReader& polyphon, const MemoryRequest& defaults);

}  // namespace polyphon
