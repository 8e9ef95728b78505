// Tells when a whole HTTP/1.1 request has come, so that no thread waits for the rest of it. Reads
// only what frames the request; the HTTP library parses it afterwards, and refuses what this takes
// for whole and is not. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace polyphon {

class RequestFrame {
 public:
  enum class State {
    kHead,    // the head is not whole
    kBody,    // the head is, the body is not
    kWhole,   // the HTTP library may read it
    kRefused  // with status()
  };
  explicit RequestFrame(size_t most_body_bytes) : most_body_bytes_(most_body_bytes) {}

  // `bytes` begin with the request and only grow from call to call. An Expect header in them is
  // renamed: who holds the connection answers it, see takes_continue().
  State look(std::string& bytes);
  // 400, 413, 414 or 431.
  int status() const { return status_; }
  // True once, in kBody: the client waits for "100 Continue" before it sends the body.
  bool takes_continue() { return std::exchange(wants_continue_, false); }

 private:
  State refuse(int status);
  State read_head(std::string& bytes);
  // One header line, without its end; its bytes may change.
  bool read_header(char* begin, size_t size);
  State look_for_length(const std::string& bytes);
  State look_for_chunks(const std::string& bytes);

  size_t most_body_bytes_;
  int status_ = 0;
  size_t scanned_ = 0;     // bytes that hold no end of the head
  size_t head_bytes_ = 0;  // 0: not known yet
  bool wants_continue_ = false;
  bool chunked_ = false;
  bool unreadable_ = false;  // the HTTP library will say why
  uint64_t body_bytes_ = 0;  // announced: by Content-Length, or by the chunks so far
  size_t next_chunk_ = 0;    // where the next chunk's size stands
  bool in_trailers_ = false;
};

}  // namespace polyphon
