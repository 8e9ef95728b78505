// The version that recorded traces, whose adapter the trainer then applies: hidden states depend on
// it. Heads do not change them.
#pragma once

#include <string>

#include "record/trace.h"
#include "tensors/lora.h"

namespace polyphon {

class PlayedVersion {
 public:
  // Of a version's folder, or the base where that is empty. Throws Error as read_version(), and
  // {kInvalidArgument} with both digests for a version of another base.
  PlayedVersion(const std::string& folder, const std::string& model_digest);

  const std::string& name() const { return name_; }
  const std::string& adapter_path() const { return adapter_path_; }  // empty: none
  bool recorded(const Trace& trace) const;
  Lora adapter(const ModelShape& shape) const;

 private:
  std::string model_digest_, name_, adapter_path_;
};

}  // namespace polyphon
