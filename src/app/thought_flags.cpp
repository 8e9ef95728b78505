#include "app/thought_flags.h"

#include "app/usage.h"
#include "core/sampling.h"

namespace polyphon {

void ThoughtFlags::add_to(CLI::App& command) {
  model.add_to(command);
  model.settings.add(command, "polyphon.");
  for (const Setting<SamplingParams>& row : sampling_settings())
    if (row.in(kFlagScope))
      command.add_option("--" + row.name, temperature, row.help)
          ->check(in_real_range(row.least, row.most));
}

ThinkInput ThoughtFlags::input(const Config& config) const {
  ThinkInput input;
  static_cast<ThinkSettings&>(input) = config.reason.defaults;
  input.sampling.temperature = temperature;
  validate(input.workspace, config.reason.workspace);
  validate(input.search);
  validate(input.memory);
  return input;
}

}  // namespace polyphon
