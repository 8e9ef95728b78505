#include "server/event_stream.h"

#include <spdlog/spdlog.h>

#include "base/error.h"
#include "server/api_error.h"
#include "server/client_stream.h"

namespace polyphon {
namespace {

// Interval of checks whether the client is still there.
constexpr std::chrono::milliseconds kClientCheck{200};
// A comment is sent after this much silence, so that proxies keep the connection open. A client
// that may be gone gets one sooner (kQuestion), because only sending shows whether it is there.
constexpr std::chrono::seconds kHeartbeat{15};
constexpr std::chrono::seconds kQuestion{1};

class EventStream {
 public:
  EventStream(ServerState& state, RequestSlots::Slot slot, SessionGroup sessions,
              std::unique_ptr<Reply> reply)
      : state_(state),
        slot_(std::move(slot)),
        sessions_(std::move(sessions)),
        reply_(std::move(reply)) {}

  // Sends the next text. Returns false to end the response, because the client is gone.
  bool send_next(httplib::DataSink& sink) {
    const std::string text = next_text();
    const auto now = std::chrono::steady_clock::now();
    if (text.empty() && now - sent_ > (client_may_be_gone() ? kQuestion : kHeartbeat))
      return send(sink, ": still here\n\n");
    if (text.empty()) return sink.is_writable();
    if (!send(sink, text)) return false;
    if (over_) sink.done();
    return true;
  }

  void cancel() { sessions_.cancel(); }

 private:
  bool send(httplib::DataSink& sink, const std::string& text) {
    sent_ = std::chrono::steady_clock::now();
    return sink.write(text.data(), text.size());
  }

  std::string next_text() {
    try {
      if (state_.slots.is_cut_off()) throw Error(ErrorCode::kUnavailable, "the server is stopping");
      if (!std::exchange(opened_, true)) return reply_->opening();
      const auto event = sessions_.next(kClientCheck);
      return event ? take(*event) : "";
    } catch (const Error& error) {
      return fail(error);
    } catch (const std::exception& error) {
      spdlog::error("request failed: {}", error.what());
      return fail(Error(ErrorCode::kInternal, error.what()));
    }
  }

  std::string take(const SessionEvent& event) {
    if (const auto* failed = std::get_if<Failed>(&event)) return fail(failed->error);
    std::string text = reply_->on_event(event);
    if (!sessions_.over()) return text;
    over_ = true;
    return text + reply_->stream_end();
  }

  std::string fail(const Error& error) {
    over_ = true;
    return sse(error_body(error));
  }

  ServerState& state_;
  RequestSlots::Slot slot_;
  SessionGroup sessions_;
  std::unique_ptr<Reply> reply_;
  std::chrono::steady_clock::time_point sent_ = std::chrono::steady_clock::now();
  bool opened_ = false, over_ = false;
};

}  // namespace

void stream_events(httplib::Response& response, ServerState& state, RequestSlots::Slot slot,
                   SessionGroup sessions, std::unique_ptr<Reply> reply) {
  auto stream =
      std::make_shared<EventStream>(state, std::move(slot), std::move(sessions), std::move(reply));
  response.set_header("Cache-Control", "no-cache");
  response.set_header("X-Accel-Buffering", "no");
  response.set_chunked_content_provider(
      "text/event-stream; charset=utf-8",
      [stream](size_t, httplib::DataSink& sink) { return stream->send_next(sink); },
      [stream](bool) { stream->cancel(); });
}

}  // namespace polyphon
