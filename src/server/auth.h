// API keys of tenants. Only their SHA-256 hashes are kept; a comparison takes the same time
// wherever the keys differ. Immutable, so thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polyphon {

// SHA-256 of the key in lower-case hex, as in the config file.
std::string hash_api_key(std::string_view key);

class ApiKeys {
 public:
  // Throws Error{kInvalidArgument} if a hash is not 64 hex digits.
  explicit ApiKeys(std::vector<std::string> hashes);

  bool required() const { return !hashes_.empty(); }
  // The tenant of the key in an Authorization header ("Bearer KEY"); none if the key is wrong. If
  // no keys are configured, every request belongs to the tenant "".
  std::optional<std::string> tenant_of(const std::string& authorization) const;

 private:
  std::vector<std::string> hashes_;
};

}  // namespace polyphon
