#include "server/request_frame.h"

#include <strings.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <string_view>

namespace polyphon {
namespace {

// The HTTP library's own limits. Beyond them it answers 400 or does not answer at all.
constexpr size_t kMostHeaderBytes = 8192;
constexpr size_t kMostHeaders = 100;
constexpr size_t kMostRequestLineBytes = 32768;
constexpr size_t kMostHeadBytes = 64 << 10;
constexpr size_t kMostChunkLineBytes = 4096;

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// Offset after the blank line that ends the head; 0 if there is none from `begin` on.
size_t end_of_head(std::string_view bytes, size_t begin) {
  for (size_t at = bytes.find('\n', begin); at != bytes.npos; at = bytes.find('\n', at + 1)) {
    const std::string_view rest = bytes.substr(at + 1);
    if (rest.starts_with('\n')) return at + 2;
    if (rest.starts_with("\r\n")) return at + 3;
  }
  return 0;
}

}  // namespace

RequestFrame::State RequestFrame::refuse(int status) {
  status_ = status;
  return State::kRefused;
}

RequestFrame::State RequestFrame::look(std::string& bytes) {
  if (head_bytes_ == 0) {
    // A client with another protocol (usually TLS) may never send a line.
    if (!bytes.empty() && !std::isalpha(static_cast<unsigned char>(bytes[0]))) return refuse(400);
    head_bytes_ = end_of_head(bytes, scanned_);
    const size_t line = std::min(bytes.find('\n'), bytes.size());
    if (line > kMostRequestLineBytes) return refuse(414);
    if ((head_bytes_ > 0 ? head_bytes_ : bytes.size()) > kMostHeadBytes) return refuse(431);
    scanned_ = bytes.size() - std::min<size_t>(bytes.size(), 2);
    if (head_bytes_ == 0) return State::kHead;
    if (const State read = read_head(bytes); read == State::kRefused) return read;
  }
  if (unreadable_) return State::kWhole;
  return chunked_ ? look_for_chunks(bytes) : look_for_length(bytes);
}

RequestFrame::State RequestFrame::read_head(std::string& bytes) {
  next_chunk_ = head_bytes_;
  size_t headers = 0;
  for (size_t begin = bytes.find('\n') + 1; begin < head_bytes_;) {
    const size_t end = bytes.find('\n', begin);
    if (end - begin > kMostHeaderBytes) return refuse(431);
    if (end - begin > 1 && ++headers > kMostHeaders) return refuse(431);
    unreadable_ = !read_header(bytes.data() + begin, end - begin) || unreadable_;
    begin = end + 1;
  }
  unreadable_ = unreadable_ || (chunked_ && body_bytes_ > 0);
  return State::kBody;
}

bool RequestFrame::read_header(char* begin, size_t size) {
  const std::string_view line(begin, size);
  const size_t colon = line.find(':');
  if (colon == line.npos) return trimmed(line).empty();
  const std::string_view name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
  if (same(name, "Content-Length")) {
    const auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), body_bytes_);
    if (error == std::errc::result_out_of_range) body_bytes_ = UINT64_MAX;
    return error != std::errc::invalid_argument && end == value.data() + value.size();
  }
  if (same(name, "Transfer-Encoding")) {
    const size_t comma = value.rfind(',');
    chunked_ = same(trimmed(value.substr(comma == value.npos ? 0 : comma + 1)), "chunked");
    return chunked_;
  }
  if (same(name, "Expect") && same(value, "100-continue")) {
    wants_continue_ = true;
    std::memcpy(begin, "X-Seen", 6);
  }
  return true;
}

RequestFrame::State RequestFrame::look_for_length(const std::string& bytes) {
  if (body_bytes_ > most_body_bytes_) return refuse(413);
  return bytes.size() - head_bytes_ < body_bytes_ ? State::kBody : State::kWhole;
}

RequestFrame::State RequestFrame::look_for_chunks(const std::string& bytes) {
  // Small chunks, chunk extensions and trailers need room too.
  if (bytes.size() > head_bytes_ + 2 * most_body_bytes_ + kMostHeadBytes) return refuse(413);
  while (next_chunk_ < bytes.size()) {
    const size_t end = bytes.find('\n', next_chunk_);
    if (end == bytes.npos)
      return bytes.size() - next_chunk_ > kMostChunkLineBytes ? refuse(400) : State::kBody;
    const std::string_view line(bytes.data() + next_chunk_, end - next_chunk_);
    next_chunk_ = end + 1;
    if (in_trailers_) {
      if (trimmed(line).empty()) return State::kWhole;
      continue;
    }
    uint64_t size = 0;
    const auto error = std::from_chars(line.data(), line.data() + line.size(), size, 16).ec;
    if (error == std::errc::invalid_argument) {
      unreadable_ = true;
      return State::kWhole;
    }
    if (error != std::errc() || size > most_body_bytes_ - body_bytes_) return refuse(413);
    body_bytes_ += size;
    in_trailers_ = size == 0;
    if (size > 0) next_chunk_ += size + 2;  // 2: the line end after the data
  }
  return State::kBody;
}

}  // namespace polyphon
