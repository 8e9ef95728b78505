// API keys. Only their SHA-256 is kept; comparison takes the same time whatever differs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polyphon {

// SHA-256 of the key, lower-case hex: what the config file holds.
std::string hash_api_key(std::string_view key);

class ApiKeys {
 public:
  // Throws Error{kInvalidArgument} for what is not 64 hex digits.
  explicit ApiKeys(std::vector<std::string> hashes);

  bool required() const { return !hashes_.empty(); }
  // The tenant whose key an Authorization header ("Bearer KEY") carries; nothing when it is wrong.
  // Without keys everyone is the tenant "".
  std::optional<std::string> tenant_of(const std::string& authorization) const;

 private:
  std::vector<std::string> hashes_;
};

}  // namespace polyphon
