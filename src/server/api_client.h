// Another server as its client sees it: JSON in and out over HTTP. Thread-safe.
#pragma once

#include <string>

#include "core/json.h"

namespace polyphon {

class ApiClient {
 public:
  // `address`: "http://HOST:PORT", or https, whose certificate is checked. `key`: empty when the
  // server asks for none. Throws Error{kInvalidArgument} for another form of address.
  ApiClient(std::string address, std::string key);

  const std::string& address() const { return address_; }

  // The body of a 200. Each call is a connection of its own. Throws Error whose message begins with
  // the address: kUnavailable when there is no connection, it broke or gave no JSON, else what the
  // status stands for, with the server's own message.
  Json get(const std::string& path) const;
  Json post(const std::string& path, const Json& body) const;

 private:
  const std::string address_;
  const std::string key_;
};

}  // namespace polyphon
