#include "record/codec.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "record/descriptions.h"
#include "record/format_1.h"

namespace polyphon {
namespace {

template <typename T>
T read_whole(const Json& json) {
  T value;
  JsonReader::read(json, {}, value);
  return value;
}

// Checks what the members' types do not say: lists of one span have equal lengths, ids are indices.
void check(const Trace& trace) {
  const auto refuse = [](size_t span, const std::string& why) {
    const std::string path = fmt::format("spans[{}]", span);
    throw Error(ErrorCode::kInvalidArgument, path + " " + why, path);
  };
  for (size_t i = 0; i < trace.spans.size(); ++i) {
    const TraceSpan& span = trace.spans[i];
    if (span.steps.size() != span.tokens.size() || span.logprobs.size() != span.tokens.size())
      refuse(i, fmt::format("has {} tokens, {} steps and {} logprobs", span.tokens.size(),
                            span.steps.size(), span.logprobs.size()));
    if (span.id != static_cast<int>(i)) refuse(i, fmt::format("has the id {}", span.id));
  }
}

// Throws Error{kInvalidArgument} for a format that this version does not read.
int format_of(const Json& json) {
  int format = 0;
  const JsonReader::Place whole;
  JsonReader(json, whole)("format", format);
  if (format < 1 || format > Trace::kFormat)
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("it has the format {}: this version reads 1 to {}", format, Trace::kFormat),
        "format");
  return format;
}

}  // namespace

Json to_json(const Trace& trace) {
  Json json = JsonWriter::written(trace);
  json["format"] = Trace::kFormat;
  return json;
}

Json to_json(const TraceDecision& decision) { return JsonWriter::written(decision); }
Json to_json(const SpanOwner& owner) { return JsonWriter::written(owner); }
Json to_json(const ThinkRequest& request) { return JsonWriter::written(request); }
Json to_json(const SearchRequest& request) { return JsonWriter::written(request); }
Json to_json(const MemoryRequest& request) { return JsonWriter::written(request); }
Json to_json(const SessionResult& result) { return JsonWriter::written(result); }
Json to_json(const SearchReport& report) { return JsonWriter::written(report); }
Json to_json(const Timings& timings) { return JsonWriter::written(timings); }
Json to_json(const Outcome& outcome) { return JsonWriter::written(outcome); }

Json polyphon_object(const Trace& trace) {
  Json json = to_json(trace.result);
  json.erase("answer");
  json["decisions"] = JsonWriter::written(trace.decisions);
  Json& promotions = json["promotions"] = Json::array();
  for (const Broadcast& broadcast : trace.result.workspace)
    if (broadcast.carried_out)
      promotions.push_back({{"promotion", broadcast.promotion},
                            {"step", broadcast.step},
                            {"source", spelled(broadcast.source)},
                            {"text", broadcast.text},
                            {"p", broadcast.p}});
  return json;
}

Trace trace_from_json(const Json& json) try {
  Trace trace;
  if (format_of(json) == Trace::kFormat) {
    trace = read_whole<Trace>(json);
    check(trace);
    return trace;
  }
  Json upgraded = json;
  upgrade_format_1(upgraded);
  trace = read_whole<Trace>(upgraded);
  check(trace);
  upgrade_format_1(trace);
  return trace;
} catch (const Error& error) {
  throw Error(ErrorCode::kInvalidArgument, std::string("not a trace: ") + error.what(),
              error.field());
}

SessionResult session_result_from_json(const Json& json) { return read_whole<SessionResult>(json); }

Outcome outcome_from_json(const Json& json) try {
  return read_whole<Outcome>(json);
} catch (const Error& error) {
  throw Error(ErrorCode::kInvalidArgument, std::string("not an outcome: ") + error.what());
}

}  // namespace polyphon
