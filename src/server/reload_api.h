// POST /api/v1/reload: reads the files of the served version again.
#pragma once

#include <httplib.h>

#include <functional>

#include "deploy/load.h"

namespace polyphon {

class ReloadApi {
 public:
  // If `reload` is empty, there is nothing to read again and the handler gives 404.
  explicit ReloadApi(std::function<Reloaded()> reload) : reload_(std::move(reload)) {}

  // Answers {"version", "digest", "changed": subset of ["version", "adapter", "heads"]}. After an
  // error the old version stays in service.
  void reload(const httplib::Request& request, httplib::Response& response);

 private:
  const std::function<Reloaded()> reload_;
};

}  // namespace polyphon
