#include "base/digest.h"

#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <memory>

#include "base/check.h"
#include "base/error.h"

namespace polyphon {
namespace {

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    POLYPHON_CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }

  void update(std::string_view bytes) {
    POLYPHON_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }

  std::string hex() {
    std::array<unsigned char, 32> bytes{};
    POLYPHON_CHECK(EVP_DigestFinal_ex(context_.get(), bytes.data(), nullptr) == 1);
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (unsigned char byte : bytes) {
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string sha256(std::string_view bytes) {
  Sha256 digest;
  digest.update(bytes);
  return digest.hex();
}

std::string sha256_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::kNotFound, "cannot read " + path);
  Sha256 digest;
  std::string buffer(1 << 20, '\0');
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || file.gcount() > 0)
    digest.update({buffer.data(), static_cast<size_t>(file.gcount())});
  if (file.bad()) throw Error(ErrorCode::kInternal, "reading " + path + " failed");
  return digest.hex();
}

}  // namespace polyphon
