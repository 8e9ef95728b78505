// libtorch contains Gloo and its wheel has c10d's header of it, but not Gloo's own headers, which
// that one includes. Objects of Gloo are only pointed to there, and made and used within libtorch:
// their names are all that a program needs.
#pragma once

#include <chrono>

namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

namespace transport {
class Device;
class UnboundBuffer;
}  // namespace transport

}  // namespace gloo
