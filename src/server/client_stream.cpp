#include "server/client_stream.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/check.h"

namespace polyphon {
namespace {

// Limit of bytes that wait for the socket; with more, the serving thread blocks.
constexpr size_t kMostWaitingBytes = 256 << 10;
// Interval of checks whether the server stops.
constexpr std::chrono::milliseconds kSendWait{200};

thread_local ClientStream* serving = nullptr;

}  // namespace

ClientStream::ClientStream(Connection& connection, std::chrono::seconds write_timeout,
                           const std::atomic<bool>& stopping)
    : connection_(connection), write_timeout_(write_timeout), stopping_(stopping) {
  const std::string_view request = connection.received;
  takes_interim_ = request.substr(0, request.find('\r')).ends_with(" HTTP/1.1");
  serving = this;
}

ClientStream::~ClientStream() { serving = nullptr; }

const char* ClientStream::buffered_data(size_t& size) const {
  size = connection_.received.size() - consumed_;
  return size > 0 ? connection_.received.data() + consumed_ : nullptr;
}

ssize_t ClientStream::read(char* data, size_t size) {
  const size_t count = std::min(size, connection_.received.size() - consumed_);
  std::memcpy(data, connection_.received.data() + consumed_, count);
  consumed_ += count;
  // Free the bytes now, so that a large body is not held twice while its answer is made.
  if (!is_readable()) {
    connection_.received = std::string();
    consumed_ = 0;
  }
  return static_cast<ssize_t>(count);
}

bool ClientStream::wait_writable() const {
  auto progress = connection_.flush();
  size_t waiting = connection_.outgoing.size();
  auto deadline = std::chrono::steady_clock::now() + write_timeout_;
  while (progress != Connection::Progress::kFailed && waiting > kMostWaitingBytes) {
    if (stopping_ || std::chrono::steady_clock::now() > deadline) return false;
    connection_.wait(static_cast<int>(kSendWait.count()));
    progress = connection_.flush();
    if (connection_.outgoing.size() < waiting)
      deadline = std::chrono::steady_clock::now() + write_timeout_;
    waiting = connection_.outgoing.size();
  }
  return progress != Connection::Progress::kFailed;
}

ssize_t ClientStream::write(const char* data, size_t size) {
  const std::string_view text(data, size);
  // The first write holds the whole head, and the body if it is small.
  if (!std::exchange(answered_, true))
    promised_close_ =
        text.substr(0, text.find("\r\n\r\n")).find("\r\nConnection: close") != text.npos;
  connection_.outgoing.append(text);
  return wait_writable() ? static_cast<ssize_t>(size) : -1;
}

bool ClientStream::is_peer_alive() const {
  return connection_.flush() != Connection::Progress::kFailed && !connection_.is_reset();
}

bool ClientStream::is_gone() {
  if (!is_peer_alive()) return true;
  if (answered_ || !may_be_gone()) return false;
  if (!takes_interim_) return true;
  if (std::exchange(asked_, true)) return false;
  connection_.outgoing += "HTTP/1.1 100 Continue\r\n\r\n";
  return connection_.flush() == Connection::Progress::kFailed;
}

void ClientStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void ClientStream::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

bool client_is_gone() {
  POLYPHON_CHECK(serving);
  return serving->is_gone();
}

bool client_may_be_gone() {
  POLYPHON_CHECK(serving);
  return serving->may_be_gone();
}

}  // namespace polyphon
