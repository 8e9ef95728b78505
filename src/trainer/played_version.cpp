#include "trainer/played_version.h"

#include "core/version.h"
#include "tensors/adapter_file.h"

namespace polyphon {

PlayedVersion::PlayedVersion(const std::string& folder, const std::string& model_digest)
    : model_digest_(model_digest), name_(untrained_version(model_digest)) {
  if (folder.empty()) return;
  const Version version = read_version(folder);
  require_base("version " + version.name, version.base_digest, model_digest);
  name_ = version.name;
  adapter_path_ = version_adapter(folder);
}

// The name of its heads follows, or that of an adapter which is no version.
bool PlayedVersion::recorded(const Trace& trace) const {
  const std::string more = name_ + "+";
  return trace.model_digest == model_digest_ &&
         (trace.version == name_ ||
          (trace.version.starts_with(more) && !trace.version.starts_with(more + "lora-")));
}

Lora PlayedVersion::adapter(const ModelShape& shape) const {
  return adapter_path_.empty() ? no_adapter(shape)
                               : load_adapter(adapter_path_, shape, model_digest_);
}

}  // namespace polyphon
