#include "trainer/process_place.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

#include "base/error.h"

namespace polyphon {

ProcessPlace process_place(const std::function<std::optional<std::string>(const char*)>& variable) {
  const auto number = [&](const char* name, int least, int most, std::optional<int> otherwise) {
    const std::optional<std::string> text = variable(name);
    if (!text && otherwise) return *otherwise;
    int value = 0;
    const char* const end = text ? text->data() + text->size() : nullptr;
    const auto [stop, failed] =
        text ? std::from_chars(text->data(), end, value) : std::from_chars_result{};
    if (!text || failed != std::errc() || stop != end || value < least || value > most)
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} is {}: with WORLD_SIZE set it must be a number from {} to {}",
                              name, text.value_or("not set"), least, most),
                  name);
    return value;
  };
  ProcessPlace place;
  place.size = number("WORLD_SIZE", 1, 1 << 16, 1);
  if (place.size == 1) return place;
  place.rank = number("RANK", 0, place.size - 1, std::nullopt);
  place.on_this_machine = number("LOCAL_WORLD_SIZE", 1, place.size, 1);
  place.local_rank = number("LOCAL_RANK", 0, place.size - 1, 0);
  place.address = variable("MASTER_ADDR").value_or("");
  if (place.address.empty())
    throw Error(ErrorCode::kInvalidArgument,
                "MASTER_ADDR is not set: with WORLD_SIZE set it must be the address of rank 0",
                "MASTER_ADDR");
  place.port = static_cast<uint16_t>(number("MASTER_PORT", 1, 65535, std::nullopt));
  place.launcher_store = variable("TORCHELASTIC_USE_AGENT_STORE") == "True";
  place.restarts = variable("TORCHELASTIC_RESTART_COUNT").value_or("0");
  return place;
}

ProcessPlace process_place_of_environment() {
  return process_place([](const char* name) -> std::optional<std::string> {
    const char* const value = std::getenv(name);
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
  });
}

}  // namespace polyphon
