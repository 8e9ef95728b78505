// Detects when a complete HTTP/1.1 request has arrived, so that no thread waits for the rest of
// one. Reads only what marks the request's end. The HTTP library parses the request afterwards; it
// refuses requests that look complete here but are invalid. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace polyphon {

class RequestFrame {
 public:
  enum class State {
    kHead,    // the head is incomplete
    kBody,    // the head is complete, the body is not
    kWhole,   // the request is complete
    kRefused  // refused with status()
  };
  explicit RequestFrame(size_t most_body_bytes) : most_body_bytes_(most_body_bytes) {}

  // Call with all bytes received so far; they begin with the request. Renames an Expect header in
  // them, because the owner of the connection answers it: see takes_continue().
  State look(std::string& bytes);
  // 400, 413, 414 or 431.
  int status() const { return status_; }
  // Returns true once, in kBody, if the client waits for "100 Continue" before it sends the body.
  bool takes_continue() { return std::exchange(wants_continue_, false); }

 private:
  State refuse(int status);
  State read_head(std::string& bytes);
  // Reads one header line without its line end. May change its bytes.
  bool read_header(char* begin, size_t size);
  State look_for_length(const std::string& bytes);
  State look_for_chunks(const std::string& bytes);

  size_t most_body_bytes_;
  int status_ = 0;
  size_t scanned_ = 0;     // bytes already searched for the end of the head
  size_t head_bytes_ = 0;  // 0: not known yet
  bool wants_continue_ = false;
  bool chunked_ = false;
  bool unreadable_ = false;  // invalid: the HTTP library will report why
  uint64_t body_bytes_ = 0;  // size announced by Content-Length, or by the chunks so far
  size_t next_chunk_ = 0;    // offset of the next chunk's size
  bool in_trailers_ = false;
};

}  // namespace polyphon
