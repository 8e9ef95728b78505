#include "server/front.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <thread>

#include "base/error.h"
#include "server/api_error.h"
#include "server/client_stream.h"

namespace polyphon {
namespace {

using namespace std::chrono_literals;

constexpr auto kTick = 200ms;  // interval of checks of deadlines
// Time for a head, from its first byte, and for the TLS handshake.
constexpr auto kToSendHead = 10s;
constexpr auto kIdle = 75s;     // time between two requests
constexpr auto kToLinger = 5s;  // time after the last byte of an answer
constexpr auto kToStop = 5s;    // time for answers that are still being sent
// Least average speed of a body, on top of io_timeout_s.
constexpr double kLeastBytesPerS = 16 << 10;
constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kUrgentThreads = 4;
// Limit of bytes held for incomplete requests: this many requests of the largest size.
constexpr size_t kMostLargeRequests = 32;
// File descriptors that the process needs besides connections.
constexpr rlim_t kOtherFiles = 256;

// Limits the number of connections to the file descriptors that the system allows.
size_t allowed_connections(size_t wanted) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return wanted;
  if (files.rlim_cur < wanted + kOtherFiles) {
    files.rlim_cur = std::min<rlim_t>(files.rlim_max, wanted + kOtherFiles);
    setrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_NOFILE, &files);
  }
  const rlim_t others = std::min(kOtherFiles, files.rlim_cur / 2);
  return std::min<rlim_t>(files.rlim_cur - others, wanted);
}

// An error response of the loop itself; it always closes the connection.
std::string refusal(int status, const std::string& why) {
  const std::string body = to_text(error_body(status, why));
  return fmt::format(
      "HTTP/1.1 {} {}\r\n{}Content-Type: application/json; charset=utf-8\r\n"
      "Content-Length: {}\r\nConnection: close\r\n\r\n{}",
      status, httplib::status_message(status), status == 503 ? "Retry-After: 1\r\n" : "",
      body.size(), body);
}

std::string why_refused(int status, size_t most_body_bytes) {
  switch (status) {
    case 413:
      return fmt::format("the body is larger than this server takes: at most {} bytes",
                         most_body_bytes);
    case 414:
      return "the address is too long";
    case 431:
      return "the headers are too large";
    default:
      return "the request could not be read";
  }
}

}  // namespace

Front::Front(const ServerOptions& options, std::set<std::string> urgent, size_t most_connections)
    : io_timeout_(options.io_timeout_s),
      most_body_bytes_(static_cast<size_t>(options.max_body_bytes)),
      threads_(options.threads),
      urgent_(std::move(urgent)),
      tls_(options.tls_certificate.empty()
               ? nullptr
               : make_tls_context(options.tls_certificate, options.tls_key)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      most_connections_(allowed_connections(most_connections)) {
  if (epoll_ < 0 || wake_ < 0)
    throw Error(ErrorCode::kUnavailable,
                "cannot create an epoll or event descriptor: raise the limit of open files");
  set_payload_max_length(most_body_bytes_);
  set_keep_alive_timeout(std::chrono::seconds(kIdle).count());
  // Without the library's SO_REUSEPORT, a port that is in use is reported.
  set_socket_options([](socket_t socket) {
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
}

Front::~Front() {
  clients_.clear();
  httplib::Server::stop();
  ::close(epoll_);
  ::close(wake_);
}

void Front::finish() {
  stopping_ = true;
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
}

void Front::run() {
  try {
    pool_ = std::make_unique<httplib::ThreadPool>(static_cast<size_t>(threads_));
    urgent_pool_ = std::make_unique<httplib::ThreadPool>(kUrgentThreads);
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::kUnavailable,
                fmt::format("cannot start {} threads ({}): set fewer, [server] threads", threads_,
                            error.what()));
  }
  const int listener = svr_sock_;
  // The library's accept queue is short: a client that finds it full retries only after a second.
  ::listen(listener, SOMAXCONN);
  epoll_event event{EPOLLIN, {.fd = wake_}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
  event.data.fd = listener;
  fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) | O_NONBLOCK);
  epoll_ctl(epoll_, EPOLL_CTL_ADD, listener, &event);

  std::array<epoll_event, 256> ready;
  while (!is_over()) {
    const int count = epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()),
                                 static_cast<int>(std::chrono::milliseconds(kTick).count()));
    for (int i = 0; i < count; ++i) {
      const int file = ready[static_cast<size_t>(i)].data.fd;
      if (file == wake_) {
        take_back();
      } else if (file == listener) {
        accept_clients();
      } else if (const auto client = clients_.find(file); client != clients_.end()) {
        guarded(*client->second, [this](Client& one) { on_ready(one); });
      }
    }
    expire();
  }
  clients_.clear();
  pool_->shutdown();
  urgent_pool_->shutdown();
}

bool Front::is_over() {
  if (!stopping_) return false;
  const auto now = std::chrono::steady_clock::now();
  if (svr_sock_ != INVALID_SOCKET) {
    httplib::Server::stop();
    stops_at_ = now + kToStop;
  }
  std::erase_if(clients_, [&](const auto& entry) {
    const Stage stage = entry.second->stage;
    return stage != Stage::kServed && (stage != Stage::kSending || now > stops_at_);
  });
  return clients_.empty();
}

template <typename Step>
void Front::guarded(Client& client, Step step) {
  try {
    step(client);
  } catch (const std::exception& error) {
    spdlog::error("a connection is closed: {}", error.what());
    close(client);
  }
}

void Front::accept_clients() {
  for (int turn = 0; turn < 256; ++turn) {
    const int socket = accept4(svr_sock_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) {
      const bool full = errno == EMFILE || errno == ENFILE;
      if (full && make_room()) continue;
      // All connections are being served: one will be free soon.
      if (full) std::this_thread::sleep_for(10ms);
      return;
    }
    if (clients_.size() >= most_connections_ && !make_room()) {
      const std::string text = refusal(
          503, fmt::format("all {} connections are in use: try again later", clients_.size()));
      if (!tls_) [[maybe_unused]]
        const auto sent = send(socket, text.data(), text.size(), MSG_NOSIGNAL);
      ::close(socket);
      continue;
    }
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::unique_ptr<Client> fresh;
    try {
      fresh = std::make_unique<Client>(socket, tls_.get(), most_body_bytes_);
    } catch (const std::exception& error) {
      spdlog::error("a connection is refused: {}", error.what());
      ::close(socket);
      continue;
    }
    Client& client = *(clients_[socket] = std::move(fresh));
    client.heard = std::chrono::steady_clock::now();
    tls_ ? enter(client, Stage::kHandshake, kToSendHead) : enter(client, Stage::kIdle, kIdle);
    watch(client, POLLIN);
  }
}

// Closes the connection that has been silent longest. Returns false if all are being served.
bool Front::make_room() {
  Client* silent = nullptr;
  for (const auto& [socket, client] : clients_)
    if (client->stage != Stage::kServed && (!silent || client->heard < silent->heard))
      silent = client.get();
  if (silent) close(*silent);
  return silent != nullptr;
}

void Front::on_ready(Client& client) {
  switch (client.stage) {
    case Stage::kHandshake: {
      const auto progress = client.connection.handshake();
      if (progress == Connection::Progress::kWait)
        return watch(client, client.connection.poll_events());
      if (progress != Connection::Progress::kDone) return close(client);
      enter(client, Stage::kIdle, kIdle);
      return watch(client, POLLIN);
    }
    case Stage::kIdle:
    case Stage::kReading:
      return read(client);
    case Stage::kSending:
      return send_rest(client);
    case Stage::kLingering: {
      const auto progress = client.connection.receive(kReadBytes);
      client.connection.received.clear();
      if (progress == Connection::Progress::kEnded || progress == Connection::Progress::kFailed)
        close(client);
      return;
    }
    case Stage::kServed:
      return;  // the loop does not watch it
  }
}

void Front::read(Client& client) {
  const auto progress = client.connection.receive(kReadBytes);
  if (progress == Connection::Progress::kWait)
    return watch(client, client.connection.poll_events());
  if (progress == Connection::Progress::kFailed) return close(client);
  client.heard = std::chrono::steady_clock::now();
  client.ended = progress == Connection::Progress::kEnded;
  count_bytes(client);
  advance(client);
}

void Front::advance(Client& client) {
  std::string& bytes = client.connection.received;
  if (bytes.empty()) {
    if (client.ended) return close(client);
    enter(client, Stage::kIdle, kIdle);
    return watch(client, POLLIN);
  }
  if (client.stage == Stage::kIdle) {
    enter(client, Stage::kReading, kToSendHead);
    client.began = std::chrono::steady_clock::now();
  }
  switch (client.frame.look(bytes)) {
    case RequestFrame::State::kRefused:
      return refuse(client, client.frame.status(),
                    why_refused(client.frame.status(), most_body_bytes_));
    case RequestFrame::State::kWhole:
      return dispatch(client);
    case RequestFrame::State::kBody:
      wait_for_body(client);
      break;
    case RequestFrame::State::kHead:
      break;
  }
  if (client.ended)
    return refuse(client, 400, "the connection ended before the request was complete");
  if (held_bytes_ > kMostLargeRequests * most_body_bytes_)
    return refuse(client, 503, "too many large requests are being sent: try again later");
  watch(client, POLLIN);
}

// The time limit grows with the size of the body.
void Front::wait_for_body(Client& client) {
  const std::chrono::duration<double> for_bytes(
      static_cast<double>(client.connection.received.size()) / kLeastBytesPerS);
  client.deadline = client.began + io_timeout_ +
                    std::chrono::duration_cast<std::chrono::steady_clock::duration>(for_bytes);
  if (!client.frame.takes_continue()) return;
  client.connection.outgoing += "HTTP/1.1 100 Continue\r\n\r\n";
  client.connection.flush();  // what is not sent now is sent before the answer
}

void Front::dispatch(Client& client) {
  unwatch(client);
  client.stage = Stage::kServed;
  ++client.served;
  const std::string& bytes = client.connection.received;
  const bool urgent = bytes.starts_with("GET ") &&
                      urgent_.contains(bytes.substr(4, bytes.find_first_of(" ?", 4) - 4));
  (urgent ? urgent_pool_ : pool_)->enqueue([this, &client] { serve(client); });
}

void Front::serve(Client& client) {
  {
    ClientStream stream(client.connection, io_timeout_, stopping_);
    const bool last = client.served >= keep_alive_max_count_;
    bool closed = false;
    client.broken = !serve_guarded(
        [&] { return process_request(stream, "", 0, "", 0, last, closed, nullptr); });
    client.closes = last || closed || stream.promised_close();
    client.connection.received.erase(0, stream.consumed());
  }
  {
    const std::lock_guard lock(mutex_);
    returned_.push_back(&client);
  }
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
}

void Front::take_back() {
  uint64_t count = 0;
  [[maybe_unused]] const auto taken = ::read(wake_, &count, sizeof count);
  std::vector<Client*> returned;
  {
    const std::lock_guard lock(mutex_);
    returned.swap(returned_);
  }
  for (Client* const one : returned)
    guarded(*one, [this](Client& client) {
      count_bytes(client);
      client.heard = std::chrono::steady_clock::now();
      client.frame = RequestFrame(most_body_bytes_);
      client.broken ? close(client) : send_rest(client);
    });
}

void Front::send_rest(Client& client) {
  const size_t before = client.connection.outgoing.size();
  const auto progress = client.connection.flush();
  if (progress == Connection::Progress::kFailed) return close(client);
  if (progress == Connection::Progress::kWait) {
    if (client.stage != Stage::kSending || client.connection.outgoing.size() < before) {
      client.heard = std::chrono::steady_clock::now();
      enter(client, Stage::kSending, io_timeout_);
    }
    return watch(client, client.connection.poll_events());
  }
  if (client.closes || stopping_) return linger(client);
  client.stage = Stage::kIdle;
  advance(client);
}

void Front::linger(Client& client) {
  client.connection.finish_sending();
  if (client.ended || stopping_) return close(client);
  client.connection.received.clear();
  count_bytes(client);
  enter(client, Stage::kLingering, kToLinger);
  watch(client, POLLIN);
}

void Front::refuse(Client& client, int status, const std::string& why) {
  client.closes = true;
  client.connection.outgoing += refusal(status, why);
  send_rest(client);
}

void Front::watch(Client& client, short events) {
  if (client.watched == events) return;
  epoll_event event{static_cast<uint32_t>(events), {.fd = client.connection.socket()}};
  epoll_ctl(epoll_, client.watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, event.data.fd, &event);
  client.watched = events;
}

void Front::unwatch(Client& client) {
  if (client.watched != 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, client.connection.socket(), nullptr);
  client.watched = 0;
}

void Front::enter(Client& client, Stage stage, std::chrono::milliseconds patience) {
  client.stage = stage;
  client.deadline = std::chrono::steady_clock::now() + patience;
}

void Front::count_bytes(Client& client) {
  held_bytes_ += client.connection.received.size() - client.held_bytes;
  client.held_bytes = client.connection.received.size();
}

void Front::close(Client& client) {
  held_bytes_ -= client.held_bytes;
  clients_.erase(client.connection.socket());
}

void Front::expire() {
  const auto now = std::chrono::steady_clock::now();
  if (now < expires_at_) return;
  expires_at_ = now + kTick;
  std::vector<Client*> late;
  for (const auto& [socket, client] : clients_)
    if (client->stage != Stage::kServed && now > client->deadline) late.push_back(client.get());
  for (Client* const client : late)
    client->stage == Stage::kReading
        ? refuse(*client, 408, "the request took too long to arrive: send it faster")
        : close(*client);
}

}  // namespace polyphon
