#include "record/trace.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "core/json_fault.h"

namespace polyphon {
namespace {

Json to_json(const TraceSpan& span) {
  Json logprobs = Json::array();
  for (float value : span.logprobs) logprobs.push_back(std::isnan(value) ? Json() : Json(value));
  return {{"id", span.id},       {"sequence", span.sequence},
          {"owner", span.owner}, {"strategy", span.strategy},
          {"begin", span.begin}, {"tokens", span.tokens},
          {"steps", span.steps}, {"logprobs", std::move(logprobs)}};
}

TraceSpan span_from_json(const Json& json) {
  TraceSpan span;
  json.at("id").get_to(span.id);
  json.at("sequence").get_to(span.sequence);
  json.at("owner").get_to(span.owner);
  json.at("strategy").get_to(span.strategy);
  json.at("begin").get_to(span.begin);
  json.at("tokens").get_to(span.tokens);
  json.at("steps").get_to(span.steps);
  for (const Json& value : json.at("logprobs"))
    span.logprobs.push_back(value.is_null() ? NAN : value.get<float>());
  if (span.steps.size() != span.tokens.size() || span.logprobs.size() != span.tokens.size())
    throw Error(ErrorCode::kInvalidArgument,
                "not a trace: span " + std::to_string(span.id) + " has " +
                    std::to_string(span.tokens.size()) + " tokens, " +
                    std::to_string(span.steps.size()) + " steps and " +
                    std::to_string(span.logprobs.size()) + " logprobs",
                "spans");
  return span;
}

Json to_json(const TraceEdit& edit) {
  return {{"step", edit.step},     {"kind", edit.kind},   {"sequence", edit.sequence},
          {"source", edit.source}, {"begin", edit.begin}, {"end", edit.end}};
}

TraceEdit edit_from_json(const Json& json) {
  TraceEdit edit;
  json.at("step").get_to(edit.step);
  json.at("kind").get_to(edit.kind);
  json.at("sequence").get_to(edit.sequence);
  json.at("source").get_to(edit.source);
  json.at("begin").get_to(edit.begin);
  json.at("end").get_to(edit.end);
  return edit;
}

// A cut line would spoil the next one. Where even that fails, read_traces names the line.
void take_back(int file, ssize_t written) {
  struct stat state{};
  if (::fstat(file, &state) != 0 || !S_ISREG(state.st_mode)) return;
  [[maybe_unused]] const int result = ::ftruncate(file, state.st_size - written);
}

[[noreturn]] void refuse_line(const std::string& path, int number, const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument,
              path + " line " + std::to_string(number) + ": " + why +
                  "; expected lines that `polyphon think --trace` wrote");
}

}  // namespace

Json to_json(const Trace& trace) {
  Json spans = Json::array(), edits = Json::array(), decisions = Json::array();
  for (const TraceSpan& span : trace.spans) spans.push_back(to_json(span));
  for (const TraceEdit& edit : trace.edits) edits.push_back(to_json(edit));
  for (const TraceDecision& decision : trace.decisions)
    decisions.push_back(
        {{"step", decision.step}, {"kind", decision.kind}, {"detail", decision.detail}});
  Json json = {{"format", Trace::kFormat},
               {"id", trace.id},
               {"created", trace.created},
               {"version", trace.version},
               {"model_digest", trace.model_digest},
               {"config_hash", trace.config_hash},
               {"seed", trace.seed},
               {"cached_prompt_tokens", trace.cached_prompt_tokens},
               {"request", trace.request},
               {"spans", std::move(spans)},
               {"edits", std::move(edits)},
               {"decisions", std::move(decisions)},
               {"result", trace.result}};
  if (!trace.outcome.is_null()) json["outcome"] = trace.outcome;
  return json;
}

Trace trace_from_json(const Json& json) {
  try {
    const int format = json.at("format").get<int>();
    if (format != Trace::kFormat)
      throw Error(ErrorCode::kInvalidArgument,
                  "trace format " + std::to_string(format) + ": this version reads " +
                      std::to_string(Trace::kFormat),
                  "format");
    Trace trace;
    json.at("id").get_to(trace.id);
    json.at("created").get_to(trace.created);
    json.at("version").get_to(trace.version);
    json.at("model_digest").get_to(trace.model_digest);
    json.at("config_hash").get_to(trace.config_hash);
    json.at("seed").get_to(trace.seed);
    json.at("cached_prompt_tokens").get_to(trace.cached_prompt_tokens);
    trace.request = json.at("request");
    for (const Json& span : json.at("spans")) {
      trace.spans.push_back(span_from_json(span));
      if (trace.spans.back().id + 1 != static_cast<int>(trace.spans.size()))
        throw Error(ErrorCode::kInvalidArgument,
                    "not a trace: span " + std::to_string(trace.spans.size() - 1) + " has id " +
                        std::to_string(trace.spans.back().id),
                    "spans");
    }
    for (const Json& edit : json.at("edits")) trace.edits.push_back(edit_from_json(edit));
    for (const Json& decision : json.at("decisions"))
      trace.decisions.push_back({decision.at("step").get<Step>(),
                                 decision.at("kind").get<std::string>(), decision.at("detail")});
    trace.result = json.at("result");
    trace.outcome = json.value("outcome", Json());
    return trace;
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kInvalidArgument, "not a trace: " + json_fault(error));
  }
}

void append_trace(const std::string& path, const Trace& trace) { append_traces(path, {&trace, 1}); }

void append_traces(const std::string& path, std::span<const Trace> traces) {
  std::string lines;
  for (const Trace& trace : traces)
    lines += to_json(trace).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0)
    throw Error(ErrorCode::kInternal, "cannot open " + path + ": " + std::strerror(errno));
  // One write, so that lines of several processes do not mix.
  const ssize_t written = ::write(file, lines.data(), lines.size());
  const int why = written < 0 ? errno : ENOSPC;
  const bool whole = written == static_cast<ssize_t>(lines.size());
  if (!whole && written > 0) take_back(file, written);
  ::close(file);
  if (!whole)
    throw Error(ErrorCode::kInternal,
                "the trace was not written whole to " + path + ": " + std::strerror(why));
}

std::vector<Trace> read_traces(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::kNotFound, "cannot read " + path);
  std::vector<Trace> traces;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    try {
      traces.push_back(trace_from_json(Json::parse(line)));
    } catch (const Json::exception& error) {
      refuse_line(path, number, "not a trace: " + json_fault(error));
    } catch (const std::exception& error) {
      refuse_line(path, number, error.what());
    }
  }
  return traces;
}

}  // namespace polyphon
