#include "server/auth.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cctype>

#include "base/digest.h"
#include "base/error.h"

namespace polyphon {

std::string hash_api_key(std::string_view key) { return sha256(key); }

ApiKeys::ApiKeys(std::vector<std::string> hashes) : hashes_(std::move(hashes)) {
  for (const std::string& hash : hashes_) {
    const bool hex = std::all_of(hash.begin(), hash.end(), [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
    if (hash.size() != 64 || !hex)
      throw Error(ErrorCode::kInvalidArgument,
                  "an API key hash must be 64 lower-case hex digits (`polyphon key hash`)",
                  "api_key_hashes");
  }
}

std::optional<std::string> ApiKeys::tenant_of(const std::string& authorization) const {
  if (!required()) return "";
  constexpr std::string_view kScheme = "bearer ";
  const bool bearer = authorization.size() > kScheme.size() &&
                      std::equal(kScheme.begin(), kScheme.end(), authorization.begin(),
                                 [](char a, char b) { return a == std::tolower(b); });
  if (!bearer) return std::nullopt;
  const std::string hash = hash_api_key(std::string_view(authorization).substr(kScheme.size()));
  std::optional<std::string> tenant;
  for (const std::string& known : hashes_)
    if (CRYPTO_memcmp(known.data(), hash.data(), known.size()) == 0) tenant = known.substr(0, 16);
  return tenant;
}

}  // namespace polyphon
