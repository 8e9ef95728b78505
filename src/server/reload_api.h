// POST /api/v1/reload: reads the served version's files again.
#pragma once

#include <httplib.h>

#include <functional>

#include "deploy/load.h"

namespace polyphon {

class ReloadApi {
 public:
  // `reload` may be empty: then there is nothing to read again, 404.
  explicit ReloadApi(std::function<Reloaded()> reload) : reload_(std::move(reload)) {}

  // {"version", "digest", "changed": of "version", "adapter" and "heads"}. After an error the
  // version before is served on.
  void reload(const httplib::Request& request, httplib::Response& response);

 private:
  const std::function<Reloaded()> reload_;
};

}  // namespace polyphon
