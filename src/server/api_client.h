// A client of another Polyphon server: JSON requests and answers over HTTP. Thread-safe; every call
// blocks.
#pragma once

#include <string>

#include "core/json.h"

namespace polyphon {

class ApiClient {
 public:
  // `address`: "http://HOST:PORT", or "https://HOST:PORT", whose certificate is checked. `key`:
  // empty if the server needs none. Throws Error{kInvalidArgument} for any other address.
  ApiClient(std::string address, std::string key);

  const std::string& address() const { return address_; }

  // Returns the body of a 200 answer. Opens a connection for each call. Throws Error whose message
  // begins with the address: kUnavailable if there is no connection, it broke, or the body is no
  // JSON; otherwise the code for the HTTP status, with the server's message.
  Json get(const std::string& path) const;
  Json post(const std::string& path, const Json& body) const;

 private:
  const std::string address_;
  const std::string key_;
};

}  // namespace polyphon
