// The one exception type. Thrown only when a request, a job or the program must end; caught at the
// HTTP handler, the worker loop and main(). Nothing throws through the decode loop.
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace polyphon {

enum class ErrorCode {
  kInvalidArgument,   // the caller's input is wrong; HTTP 400
  kUnauthenticated,   // missing or wrong API key; HTTP 401
  kNotFound,          // no such model, file or route; HTTP 404
  kTooLarge,          // the body is over its limit; HTTP 413
  kOverloaded,        // the queue is full, try again later; HTTP 429
  kUnavailable,       // stopping or still loading; HTTP 503
  kDeadlineExceeded,  // the time limit of the request has passed; HTTP 504
  kCancelled,         // the client went away; no answer is sent
  kInternal,          // a fault of ours or of the machine; HTTP 500
};

// What was wrong, with the value, and what to do about it. `field` names the request field at fault
// in OpenAI's notation ("messages[0].role"), empty when there is none. Copies share nothing (those
// of std::runtime_error do), so an error may go from thread to thread.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message, std::string field = "")
      : code_(code), message_(std::move(message)), field_(std::move(field)) {}

  const char* what() const noexcept override { return message_.c_str(); }
  ErrorCode code() const { return code_; }
  const std::string& field() const { return field_; }

 private:
  ErrorCode code_;
  std::string message_;
  std::string field_;
};

}  // namespace polyphon
