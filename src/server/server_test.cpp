// The server over a real socket, with a fake model: bytes are tokens, and a script gives the next
// one.
#include "server/server.h"

#include <gmock/gmock.h>
#include <httplib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <thread>

#include "base/error.h"
#include "record/codec.h"
#include "record/trace_file.h"
#include "server/api_error.h"
#include "server/auth.h"
#include "server/server_for_test.h"

namespace polyphon {
namespace {

using ::testing::HasSubstr;

// Writes the alphabet again and again.
void alphabet(const FakeRow& row, std::span<float> logits) {
  const Token last = row.row.token;
  const bool letter = last >= 'a' && last < 'z';
  logits[static_cast<size_t>(letter ? last + 1 : 'a')] = 100;
}

class ServerTest : public ::testing::Test {
 protected:
  void start(const ServerOptions& options = {}, const FakeDecoder::Script& script = alphabet,
             const std::function<Reloaded()>& reload = {}) {
    running_ = std::make_unique<RunningServer>(options, script, DecoderOptions{2048, 64, 128}, "v1",
                                               reload);
    client_ = std::make_unique<httplib::Client>("127.0.0.1", port());
    client_->set_read_timeout(30);
  }
  int port() const { return running_->server->port(); }

  httplib::Result post(const std::string& path, const std::string& body) {
    return client_->Post(path, body, "application/json");
  }
  Json ok(const std::string& path, const Json& body) {
    const auto result = post(path, body.dump());
    EXPECT_TRUE(result) << path;
    if (!result) return {};
    EXPECT_EQ(result->status, 200) << result->body;
    return Json::parse(result->body);
  }
  // The data of all server-sent events except [DONE].
  std::vector<Json> events(const std::string& path, Json body) {
    body["stream"] = true;
    const auto result = post(path, body.dump());
    EXPECT_TRUE(result);
    std::vector<Json> found;
    std::istringstream lines(result->body);
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("data: {")) found.push_back(Json::parse(line.substr(6)));
    done_ = result->body.ends_with("data: [DONE]\n\n");
    return found;
  }
  double metric(const std::string& name) {
    const auto result = client_->Get("/metrics");
    std::istringstream lines(result->body);
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with(name + "{") || line.starts_with(name + " ") ||
          line.starts_with(name + ","))
        return std::stod(line.substr(line.rfind(' ')));
    ADD_FAILURE() << "no metric " << name;
    return -1;
  }
  // Waits until no session is live; a leak fails by the test's time limit.
  void wait_idle() {
    while (true) {
      const EngineStatus status = running_->reasoner->engine()->status();
      if (status.sessions_live == 0 && status.sessions_waiting == 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  std::unique_ptr<RunningServer> running_;
  std::unique_ptr<httplib::Client> client_;
  bool done_ = false;
};

Json chat(Json more = Json::object()) {
  more["messages"] = {{{"role", "user"}, {"content", "hi"}}};
  if (!more.contains("max_tokens")) more["max_tokens"] = 5;
  return more;
}

TEST_F(ServerTest, AnswersAChat) {
  start();
  const Json body = ok("/v1/chat/completions", chat({{"model", "fake-1"}}));
  EXPECT_EQ(body["choices"][0]["message"]["content"], "abcde");
  EXPECT_EQ(body["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(body["usage"]["completion_tokens"], 5);
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_FALSE(body.contains("polyphon"));
}

TEST_F(ServerTest, StreamsAChat) {
  start();
  const auto chunks =
      events("/v1/chat/completions", chat({{"stream_options", {{"include_usage", true}}}}));
  EXPECT_TRUE(done_);
  ASSERT_GE(chunks.size(), 4u);
  EXPECT_EQ(chunks[0]["choices"][0]["delta"]["role"], "assistant");
  std::string text, finish;
  for (const Json& chunk : chunks) {
    EXPECT_EQ(chunk["id"], chunks[0]["id"]);
    if (chunk["choices"].empty()) continue;
    text += chunk["choices"][0]["delta"].value("content", "");
    if (!chunk["choices"][0]["finish_reason"].is_null())
      finish = chunk["choices"][0]["finish_reason"];
  }
  EXPECT_EQ(text, "abcde");
  EXPECT_EQ(finish, "length");
  EXPECT_EQ(chunks.back()["usage"]["completion_tokens"], 5);
}

TEST_F(ServerTest, ChoicesStopsAndLogprobs) {
  start();
  const Json body = ok("/v1/chat/completions",
                       chat({{"n", 3}, {"stop", "cd"}, {"logprobs", true}, {"top_logprobs", 2}}));
  ASSERT_EQ(body["choices"].size(), 3u);
  for (const Json& choice : body["choices"]) {
    EXPECT_EQ(choice["message"]["content"], "ab");
    EXPECT_EQ(choice["finish_reason"], "stop");
    EXPECT_EQ(choice["logprobs"]["content"][0]["token"], "a");
    EXPECT_EQ(choice["logprobs"]["content"][0]["top_logprobs"].size(), 2u);
  }
}

TEST_F(ServerTest, ThinksInStreams) {
  start();
  const Json wishes = {{"topology", "3x40"}, {"merge", "kv"}, {"seed", 5}};
  const Json body = ok("/v1/chat/completions", chat({{"polyphon", wishes}}));
  const Json& message = body["choices"][0]["message"];
  EXPECT_EQ(body["polyphon"]["streams"].size(), 3u);
  EXPECT_THAT(message["reasoning_content"].get<std::string>(), HasSubstr("[stream 2:"));
  EXPECT_FALSE(message["content"].get<std::string>().empty());
  EXPECT_GT(body["usage"]["completion_tokens_details"]["reasoning_tokens"], 0);

  std::map<int, std::string> thoughts;
  Json last;
  for (const Json& chunk : events("/v1/chat/completions", chat({{"polyphon", wishes}}))) {
    const Json& delta = chunk["choices"][0]["delta"];
    if (delta.contains("reasoning_content"))
      thoughts[chunk["polyphon"]["stream"]["id"]] += delta["reasoning_content"];
    last = chunk;
  }
  EXPECT_TRUE(done_);
  EXPECT_EQ(last["choices"][0]["finish_reason"], "length");
  ASSERT_EQ(last["polyphon"]["streams"].size(), 3u);
  for (const Json& stream : last["polyphon"]["streams"])
    EXPECT_EQ(thoughts[stream["id"]], stream["text"].get<std::string>());
  EXPECT_EQ(metric("polyphon_merges_total{mode=\"kv\",version=\"v1\"}"), -1 + 3);
}

TEST_F(ServerTest, ThoughtsCanBeHidden) {
  start();
  const Json wishes = {{"topology", "2x8"}, {"stream_thoughts", false}};
  for (const Json& chunk : events("/v1/chat/completions", chat({{"polyphon", wishes}})))
    EXPECT_FALSE(chunk["choices"][0]["delta"].contains("reasoning_content"));
}

TEST_F(ServerTest, GivesTheTraceIfAskedFor) {
  start();
  const Json wishes = {{"topology", "2x8"}, {"include_trace", true}};
  const Json body = ok("/v1/chat/completions", chat({{"polyphon", wishes}}))["polyphon"];
  const Trace trace = trace_from_json(body["trace"]);
  EXPECT_EQ(trace.id, body["trace_id"].get<std::string>());
  EXPECT_EQ(to_json(trace.result)["streams"], body["streams"]);
  const Json last = events("/v1/chat/completions", chat({{"polyphon", wishes}})).back();
  EXPECT_EQ(trace_from_json(last["polyphon"]["trace"]).spans.size(), trace.spans.size());
  const Json response = ok("/v1/responses", {{"input", "hi"}, {"polyphon", wishes}});
  EXPECT_EQ(Json(trace_from_json(response["polyphon"]["trace"]).id),
            response["polyphon"]["trace_id"]);
  const Json kept = ok("/v1/chat/completions", chat({{"polyphon", {{"topology", "2x8"}}}}));
  EXPECT_FALSE(kept["polyphon"].contains("trace"));
}

TEST_F(ServerTest, BackgroundRequestsWaitForInteractiveOnes) {
  // One request fills all cells; the first one is held until the others wait.
  std::promise<void> go_on;
  std::mutex mutex;
  std::string order;  // the capital letter of each request, in the order they begin; mutex
  start({}, [&, held = go_on.get_future().share()](const FakeRow& row, std::span<float> logits) {
    alphabet(row, logits);
    const auto capital = std::find_if(row.visible.begin(), row.visible.end(),
                                      [](Token token) { return token >= 'P' && token <= 'R'; });
    if (capital == row.visible.end()) return;
    {
      const std::lock_guard lock(mutex);
      const char letter = static_cast<char>(*capital);
      if (order.find(letter) == std::string::npos) order.push_back(letter);
    }
    held.wait();
  });
  std::vector<std::jthread> clients;
  const auto send = [&](const std::string& content, const std::string& priority) {
    clients.emplace_back([this, content, priority] {
      httplib::Client client("127.0.0.1", port());
      client.set_read_timeout(30);
      const Json body = {{"messages", {{{"role", "user"}, {"content", content}}}},
                         {"max_tokens", 4},
                         {"polyphon", {{"topology", "4x240"}, {"priority", priority}}}};
      const auto result = client.Post("/v1/chat/completions", body.dump(), "application/json");
      ASSERT_TRUE(result);
      EXPECT_EQ(result->status, 200) << result->body;
    });
    const auto arrived = [&] {
      const EngineStatus status = running_->reasoner->engine()->status();
      return status.sessions_live + status.sessions_waiting;
    };
    while (arrived() < std::ssize(clients)) std::this_thread::yield();
  };
  send("P", "interactive");
  send("Q", "background");
  send("R", "interactive");
  go_on.set_value();
  clients.clear();
  EXPECT_EQ(order, "PRQ");
}

TEST_F(ServerTest, CompletesPrompts) {
  start();
  const Json both = ok("/v1/completions", {{"prompt", {"ab", "pq"}}, {"max_tokens", 2}, {"n", 2}});
  ASSERT_EQ(both["choices"].size(), 4u);
  EXPECT_EQ(both["choices"][1]["text"], "cd");
  EXPECT_EQ(both["choices"][2]["text"], "rs");
  EXPECT_EQ(both["choices"][3]["index"], 3);
  EXPECT_EQ(both["usage"]["completion_tokens"], 8);
  const Json tokens =
      ok("/v1/completions", {{"prompt", {'a', 'b'}}, {"max_tokens", 2}, {"echo", true}});
  EXPECT_EQ(tokens["choices"][0]["text"], "abcd");
  std::map<int, std::string> texts;
  for (const Json& chunk :
       events("/v1/completions", {{"prompt", {"ab", "pq"}}, {"max_tokens", 3}, {"echo", true}}))
    texts[chunk["choices"][0]["index"]] += chunk["choices"][0]["text"];
  EXPECT_EQ(texts[0], "abcde");
  EXPECT_EQ(texts[1], "pqrst");
  EXPECT_TRUE(done_);
  const Json logprobs =
      ok("/v1/completions", {{"prompt", "a"}, {"max_tokens", 2}, {"logprobs", 1}});
  EXPECT_EQ(logprobs["choices"][0]["logprobs"]["tokens"], (Json{"b", "c"}));
  EXPECT_EQ(logprobs["choices"][0]["logprobs"]["text_offset"], (Json{0, 1}));
}

TEST_F(ServerTest, Responds) {
  start();
  const Json body = ok("/v1/responses", {{"input", "hi"}, {"max_output_tokens", 4}});
  EXPECT_EQ(body["status"], "incomplete");
  EXPECT_EQ(body["output"][0]["content"][0]["text"], "abcd");
  std::string text, last;
  int sequence = 0;
  for (const Json& event : events("/v1/responses", {{"input", "hi"}, {"max_output_tokens", 4}})) {
    EXPECT_EQ(event["sequence_number"], sequence++);
    last = event["type"];
    if (last == "response.output_text.delta") text += event["delta"];
  }
  EXPECT_EQ(text, "abcd");
  EXPECT_EQ(last, "response.incomplete");
}

TEST_F(ServerTest, ResponsesThinkInOneItemAStream) {
  start();
  const Json request = {{"input", {{{"role", "user"}, {"content", "hi"}}}},
                        {"max_output_tokens", 4},
                        {"polyphon", {{"topology", "2x8"}}}};
  const Json body = ok("/v1/responses", request);
  ASSERT_EQ(body["output"].size(), 3u);
  EXPECT_EQ(body["output"][0]["type"], "reasoning");
  EXPECT_EQ(body["output"][1]["polyphon"]["stream"]["id"], 1);
  EXPECT_EQ(body["output"][2]["type"], "message");
  std::map<int, std::string> texts;
  Json last;
  for (const Json& event : events("/v1/responses", request)) {
    if (event["type"] == "response.reasoning_text.delta")
      texts[event["output_index"]] += event["delta"];
    last = event;
  }
  for (int i : {0, 1})
    EXPECT_EQ(last["response"]["output"][i]["content"][0]["text"], Json(texts[i]));
}

TEST_F(ServerTest, Embeds) {
  start();
  const Json body = ok("/v1/embeddings", {{"input", {"one", "two"}}});
  ASSERT_EQ(body["data"].size(), 2u);
  const auto vector = body["data"][0]["embedding"].get<std::vector<float>>();
  EXPECT_EQ(vector.size(), 4u);
  double squares = 0;
  for (float value : vector) squares += value * value;
  EXPECT_NEAR(squares, 1, 1e-5);
  const Json coded = ok("/v1/embeddings", {{"input", "one"}, {"encoding_format", "base64"}});
  EXPECT_EQ(coded["data"][0]["embedding"].get<std::string>().size(), 24u);  // base64 of 16 bytes
}

TEST_F(ServerTest, DescribesItselfAndItsModel) {
  start();
  EXPECT_EQ(Json::parse(client_->Get("/health")->body)["status"], "ok");
  EXPECT_EQ(Json::parse(client_->Get("/v1/models")->body)["data"][0]["id"], "fake-1");
  EXPECT_EQ(Json::parse(client_->Get("/v1/models/fake-1")->body)["id"], "fake-1");
  EXPECT_EQ(client_->Get("/v1/models/other")->status, 404);
  EXPECT_EQ(Json::parse(client_->Get("/props")->body)["polyphon"]["version"], "v1");
  EXPECT_EQ(Json::parse(client_->Get("/slots")->body), Json::array());
  EXPECT_EQ(ok("/tokenize", {{"content", "ab"}})["tokens"], (Json{'a', 'b'}));
  EXPECT_EQ(ok("/detokenize", {{"tokens", {'a', 'b'}}})["content"], "ab");
  EXPECT_THAT(ok("/apply-template", chat())["prompt"].get<std::string>(), HasSubstr("hi"));
  for (const char* name : {"llamacpp:prompt_tokens_total", "llamacpp:kv_cache_usage_ratio",
                           "llamacpp:requests_processing", "polyphon_kv_cells_capacity",
                           "polyphon_streams_live", "polyphon_collapse_events_total"})
    EXPECT_GE(metric(name), 0) << name;
}

TEST_F(ServerTest, AToolChoiceThatNamesAFunctionForcesIt) {
  start();
  const auto tool = [](const char* name) {
    return Json{{"type", "function"}, {"function", {{"name", name}}}};
  };
  const Json both = {{"tools", {tool("add"), tool("subtract")}}, {"tool_choice", tool("subtract")}};
  const std::string prompt = ok("/apply-template", chat(both))["prompt"];
  EXPECT_THAT(prompt, HasSubstr(R"(required[{"type":"function","function":{"name":"subtract"}}])"));
}

struct BadRequest {
  const char* path;
  std::string body;
  int status;
  std::string param;  // "" is null
};

TEST_F(ServerTest, RefusesBadRequests) {
  ServerOptions options;
  options.max_body_bytes = 4096;
  start(options);
  const char* const kChat = "/v1/chat/completions";
  const auto with = [](const Json& more) { return chat(more).dump(); };
  const std::vector<BadRequest> table = {
      {kChat, "{", 400, ""},
      {kChat, "[]", 400, ""},
      {kChat, "{\"messages\":\"\xff\"}", 400, ""},
      {kChat, "{}", 400, "messages"},
      {kChat, R"({"messages":[]})", 400, "messages"},
      {kChat, R"({"messages":[{"role":"king","content":""}]})", 400, "messages[0].role"},
      {kChat, R"({"messages":[{"role":"user","content":7}]})", 400, "messages[0].content"},
      {kChat, R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})", 400,
       "messages[0].content[0].type"},
      {kChat, with({{"model", "gpt-9"}}), 404, "model"},
      {kChat, with({{"model", 4}}), 400, "model"},
      {kChat, with({{"temperature", -1}}), 400, "temperature"},
      {kChat, with({{"temperature", 1e30}}), 400, "temperature"},
      {kChat, with({{"temperature", "hot"}}), 400, "temperature"},
      {kChat, with({{"top_p", 0}}), 400, "top_p"},
      {kChat, with({{"max_tokens", -5}}), 400, "max_tokens"},
      {kChat, with({{"max_completion_tokens", 1e30}}), 400, "max_completion_tokens"},
      {kChat, with({{"n", 0}}), 400, "n"},
      {kChat, with({{"n", 1000000000000}}), 400, "n"},
      {kChat, with({{"seed", 1.5}}), 400, "seed"},
      {kChat, with({{"stop", Json(std::vector<std::string>(17, "x"))}}), 400, "stop"},
      {kChat, with({{"stop", ""}}), 400, "stop"},
      {kChat, with({{"logit_bias", {{"99999999", 1}}}}), 400, "logit_bias"},
      {kChat, with({{"top_logprobs", 3}}), 400, "top_logprobs"},
      {kChat, with({{"stream", "yes"}}), 400, "stream"},
      {kChat, with({{"grammar", "no such"}}), 400, "grammar"},
      {kChat, with({{"response_format", {{"type", "xml"}}}}), 400, "response_format.type"},
      {kChat, with({{"tools", {{{"type", "function"}}}}}), 400, "tools[0].function"},
      {kChat, with({{"tool_choice", "required"}}), 400, "tool_choice"},
      {kChat, with({{"tool_choice", {{"function", {{"name", "f"}}}}}}), 400,
       "tool_choice.function"},
      {kChat, with({{"polyphon", 8}}), 400, "polyphon"},
      {kChat, with({{"polyphon", {{"topology", "8y8"}}}}), 400, "polyphon.topology"},
      {kChat, with({{"polyphon", {{"topology", "32x1000"}}}}), 400, "polyphon.topology"},
      {kChat, with({{"polyphon", {{"merge", "magic"}}}}), 400, "polyphon.merge"},
      {kChat, with({{"polyphon", {{"registers", 99}}}}), 400, "polyphon.registers"},
      {kChat, with({{"polyphon", {{"search", "deep"}}}}), 400, "polyphon.search"},
      {kChat, with({{"polyphon", {{"search", 7}}}}), 400, "polyphon.search"},
      {kChat, with({{"polyphon", {{"search", {{"mode", 1}}}}}}), 400, "polyphon.search.mode"},
      {kChat, with({{"polyphon", {{"search", {{"simulations", 0}}}}}}), 400,
       "polyphon.search.simulations"},
      {kChat, with({{"polyphon", {{"search", {{"depth", "big"}}}}}}), 400, "polyphon.search.depth"},
      {kChat, with({{"polyphon", {{"search", {{"width", 4}}}}}}), 400, "polyphon.search.width"},
      {kChat, with({{"polyphon", {{"memory", 3}}}}), 400, "polyphon.memory"},
      {kChat, with({{"polyphon", {{"memory", {{"window", 3}}}}}}), 400, "polyphon.memory.window"},
      {kChat, with({{"polyphon", {{"memory", {{"window_tokens", 3}}}}}}), 400,
       "polyphon.memory.window_tokens"},
      {kChat, with({{"polyphon", {{"memory", {{"top_k", 0}}}}}}), 400, "polyphon.memory.top_k"},
      {kChat, with({{"polyphon", {{"priority", "highest"}}}}), 400, "polyphon.priority"},
      {kChat, with({{"polyphon", {{"include_trace", 1}}}}), 400, "polyphon.include_trace"},
      {kChat, with({{"polyphon", {{"without_promotion", -1}}}}), 400, "polyphon.without_promotion"},
      {kChat, with({{"polyphon", {{"wish", 1}}}}), 400, "polyphon.wish"},
      {kChat, Json{{"messages", {{{"role", "user"}, {"content", std::string(3000, 'x')}}}}}.dump(),
       400, "messages"},
      {kChat, std::string(5000, ' '), 413, ""},
      {"/v1/completions", "{}", 400, "prompt"},
      {"/v1/completions", R"({"prompt":""})", 400, "prompt"},
      {"/v1/completions", R"({"prompt":[1,99999]})", 400, "prompt"},
      {"/v1/completions", R"({"prompt":"a","suffix":"b"})", 400, "suffix"},
      {"/v1/completions", R"({"prompt":"a","echo":true,"logprobs":1})", 400, "echo"},
      {"/v1/completions", Json{{"prompt", std::string(3000, 'x')}}.dump(), 400, "prompt"},
      {"/v1/responses", R"({"input":"a","previous_response_id":"r"})", 400, "previous_response_id"},
      {"/v1/responses", R"({"input":[{"type":"video"}]})", 400, "input[0].type"},
      {"/v1/responses", R"({"input":[{"role":"king","content":""}]})", 400, "input[0].role"},
      {"/v1/responses", R"({"input":"a","tools":[{"type":"function"}]})", 400, "tools[0].name"},
      {"/v1/embeddings", R"({"input":[]})", 400, "input"},
      {"/v1/embeddings", R"({"input":"a","dimensions":7})", 400, "dimensions"},
      {"/tokenize", "{}", 400, "content"},
      {"/nowhere", "{}", 404, ""},
      {"/v1/models", "{}", 405, ""},
  };
  for (const BadRequest& bad : table) {
    const auto result = post(bad.path, bad.body);
    ASSERT_TRUE(result) << bad.path << bad.body;
    EXPECT_EQ(result->status, bad.status) << bad.path << bad.body << result->body;
    const Json error = Json::parse(result->body)["error"];
    EXPECT_EQ(error["param"], bad.param.empty() ? Json() : Json(bad.param)) << result->body;
    EXPECT_FALSE(error["message"].get<std::string>().empty());
    EXPECT_TRUE(error["type"].is_string() && error.contains("code"));
  }
  EXPECT_EQ(client_->Delete("/v1/chat/completions")->status, 405);
  EXPECT_EQ(ok("/v1/chat/completions", chat())["choices"][0]["message"]["content"], "abcde");
}

// Errors show only the beginning, the end and the length of a long value.
TEST_F(ServerTest, ErrorsDoNotRepeatLongValues) {
  start();
  const char* const kChat = "/v1/chat/completions";
  const std::string value = "BEGIN\n\x1b" + std::string(200'000, 'x') + "END";
  const auto with = [](const Json& more) { return chat(more).dump(); };
  const auto said = [](const Json& message) { return Json{{"messages", {message}}}.dump(); };
  const std::vector<std::pair<std::string, std::string>> table = {
      {kChat, "\"" + std::string(200'000, 'x') + "END\""},
      {kChat, "{\"" + std::string(200'000, 'x') + "END"},
      {kChat, std::string(200'000, 'x') + "END"},
      {kChat, said({{"role", value}, {"content", "x"}})},
      {kChat, said({{"role", "user"}, {"content", {{{"type", value}}}}})},
      {kChat, said({{"role", "user"}, {"content", {{value, 1}}}})},
      {kChat, with({{"model", value}})},
      {kChat, with({{"temperature", value}})},
      {kChat, with({{"temperature", {value, value}}})},
      {kChat, with({{"stream", value}})},
      {kChat, with({{"logit_bias", {{value, 1}}}})},
      {kChat, with({{"response_format", {{"type", value}}}})},
      {kChat, with({{"grammar", value}})},
      {kChat, with({{"tool_choice", value}})},
      {kChat, with({{"polyphon", value}})},
      {kChat, with({{"polyphon", {{value, 1}}}})},
      {kChat, with({{"polyphon", {{"topology", value}}}})},
      {kChat, with({{"polyphon", {{"merge", value}}}})},
      {kChat, with({{"polyphon", {{"search", value}}}})},
      {kChat, with({{"polyphon", {{"search", {{value, 1}}}}}})},
      {kChat, with({{"polyphon", {{"memory", {{value, 1}}}}}})},
      {kChat, with({{"polyphon", {{"strategies", {value}}}}})},
      {kChat, with({{"polyphon", {{"priority", value}}}})},
      {"/v1/completions", Json{{"prompt", Json::array({value, 1})}}.dump()},
      {"/v1/completions", Json{{"prompt", "a"}, {"model", value}}.dump()},
      {"/v1/responses", Json{{"input", {{{"type", value}}}}}.dump()},
      {"/v1/embeddings", Json{{"input", "a"}, {"encoding_format", value}}.dump()},
      {"/tokenize", Json{{"content", {value}}}.dump()},
      {"/detokenize", Json{{"tokens", value}}.dump()},
      {"/nowhere/" + std::string(30'000, 'x'), "{}"},
  };
  for (const auto& [path, body] : table) {
    const auto result = post(path, body);
    ASSERT_TRUE(result) << path << body.substr(0, 100);
    EXPECT_GE(result->status, 400) << path << body.substr(0, 100);
    EXPECT_LT(result->status, 500) << path << body.substr(0, 100);
    EXPECT_LT(result->body.size(), 3000u) << path << body.substr(0, 100);
    const std::string message = Json::parse(result->body)["error"]["message"];
    EXPECT_EQ(message.find_first_of("\n\x1b"), std::string::npos) << message;
  }
  const auto unknown = Json::parse(client_->Get("/v1/models/" + std::string(200, 'x'))->body);
  EXPECT_THAT(unknown["error"]["message"].get<std::string>(), HasSubstr("(200 bytes)"));
}

TEST_F(ServerTest, AsksForAKey) {
  ServerOptions options;
  options.api_key_hashes = {hash_api_key("secret")};
  start(options);
  EXPECT_EQ(client_->Get("/health")->status, 200);
  for (const char* path : {"/v1/models", "/metrics", "/props", "/nowhere"})
    EXPECT_EQ(client_->Get(path)->status, 401) << path;
  EXPECT_EQ(Json::parse(post("/v1/completions", "{}")->body)["error"]["code"], "invalid_api_key");
  client_->set_bearer_token_auth("secret");
  EXPECT_EQ(client_->Get("/v1/models")->status, 200);
  EXPECT_EQ(ok("/v1/chat/completions", chat())["usage"]["completion_tokens"], 5);
}

TEST_F(ServerTest, RefusesToListenBeyondLoopbackWithoutAKey) {
  ServerOptions options;
  options.host = "0.0.0.0";
  EXPECT_THROW(start(options), Error);
  options.allow_unauthenticated = true;
  start(options);
  EXPECT_EQ(client_->Get("/health")->status, 200);
}

TEST_F(ServerTest, RefusesATakenPortAndWrongCertificates) {
  start();
  ServerOptions options;
  options.port = port();
  EXPECT_THROW(Server(*running_->reasoner, options).bind(), Error);
  options.tls_certificate = "/no/such/file";
  EXPECT_THROW(Server(*running_->reasoner, options), Error);
  options.tls_key = "/no/such/file";
  EXPECT_THROW(Server(*running_->reasoner, options), Error);
}

// A gate for the fake model: while it is closed, no step is decoded.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = true;

  void set(bool value) {
    std::lock_guard lock(mutex);
    open = value;
    changed.notify_all();
  }
  FakeDecoder::Script script() {
    return [this](const FakeRow& row, std::span<float> logits) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return open; });
      alphabet(row, logits);
    };
  }
};

// Headers and the first event are sent before the model has decoded anything.
TEST_F(ServerTest, AStreamIsOpenedBeforeTheFirstToken) {
  Gate gate;
  start({}, gate.script());
  const std::vector<std::tuple<const char*, Json, std::vector<std::string>>> table = {
      {"/v1/chat/completions", chat({{"n", 2}}), {"\"index\":0", "\"index\":1", "assistant"}},
      {"/v1/chat/completions", chat({{"polyphon", {{"topology", "2x8"}}}}), {"assistant"}},
      {"/v1/responses", {{"input", "hi"}, {"max_output_tokens", 4}}, {"response.in_progress"}},
      {"/v1/completions", {{"prompt", "a"}, {"max_tokens", 2}}, {}},
  };
  for (const auto& [path, wishes, first] : table) {
    gate.set(false);
    Json body = wishes;
    body["stream"] = true;
    httplib::Request request;
    request.method = "POST";
    request.path = path;
    request.set_header("Content-Type", "application/json");
    request.body = body.dump();
    std::string text;
    int status = 0;
    const auto opened = [&, &expected = first] {
      return std::all_of(expected.begin(), expected.end(),
                         [&](const std::string& part) { return text.find(part) != text.npos; });
    };
    request.response_handler = [&](const httplib::Response& response) {
      status = response.status;
      if (opened()) gate.set(true);
      return true;
    };
    request.content_receiver = [&](const char* data, size_t size, size_t, size_t) {
      text.append(data, size);
      if (opened()) gate.set(true);
      return true;
    };
    EXPECT_TRUE(client_->send(request)) << path;
    EXPECT_EQ(status, 200) << path;
    EXPECT_THAT(text, HasSubstr(path == std::string("/v1/responses") ? "response.incomplete"
                                                                     : "data: [DONE]"));
  }
}

// The status has already been sent, so the stream carries the error, as OpenAI's clients expect.
TEST_F(ServerTest, AnErrorInAnOpenStreamIsSentAsAnEvent) {
  ServerOptions options;
  options.request_timeout_s = 0;
  start(options);
  for (const char* path : {"/v1/chat/completions", "/v1/responses", "/v1/completions"}) {
    Json body = chat();
    if (path != std::string("/v1/chat/completions")) body = {{"input", "a"}};
    if (path == std::string("/v1/completions")) body = {{"prompt", "a"}};
    EXPECT_EQ(post(path, body.dump())->status, 504) << path;
    const auto found = events(path, body);
    ASSERT_FALSE(found.empty()) << path;
    EXPECT_THAT(found.back()["error"]["message"].get<std::string>(), HasSubstr("time limit"));
    EXPECT_FALSE(done_);
  }
}

// Steps are slow enough that a client can go away in the middle.
FakeDecoder::Script slow_alphabet() {
  return [](const FakeRow& row, std::span<float> logits) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    alphabet(row, logits);
  };
}

TEST_F(ServerTest, AClientThatGoesAwayFreesItsCells) {
  start({}, slow_alphabet());
  for (bool stream : {true, false}) {
    httplib::Client leaver("127.0.0.1", port());
    httplib::Request request;
    request.method = "POST";
    request.path = "/v1/chat/completions";
    request.set_header("Content-Type", "application/json");
    request.body = chat({{"stream", stream}, {"max_tokens", 1500}}).dump();
    if (stream)
      request.content_receiver = [](const char*, size_t, size_t, size_t) { return false; };
    else
      leaver.set_read_timeout(std::chrono::milliseconds(100));
    EXPECT_FALSE(leaver.send(request));
    wait_idle();
  }
  EXPECT_EQ(running_->reasoner->engine()->status().sessions_cancelled, 2);
  const EngineStatus status = running_->reasoner->engine()->status();
  EXPECT_EQ(status.cells_used, status.cells_cached);
}

TEST_F(ServerTest, RefusesRequestsBeyondItsSlots) {
  Gate gate;
  ServerOptions options;
  options.threads = 18;  // two threads for requests that generate
  start(options, gate.script());
  gate.set(false);
  std::vector<std::jthread> clients;
  std::atomic<int> refused = 0, served = 0;
  for (int i = 0; i < 4; ++i)
    clients.emplace_back([&] {
      httplib::Client client("127.0.0.1", port());
      client.set_read_timeout(30);
      const auto result = client.Post("/v1/chat/completions", chat().dump(), "application/json");
      ASSERT_TRUE(result);
      if (result->status == 200) ++served;
      if (result->status != 429) return;
      EXPECT_TRUE(result->has_header("Retry-After"));
      ++refused;
    });
  while (refused < 2) std::this_thread::yield();
  gate.set(true);
  clients.clear();
  EXPECT_EQ(refused, 2);
  EXPECT_EQ(served, 2);
}

TEST_F(ServerTest, SlotsListEverySessionWithoutItsText) {
  Gate gate;
  start({}, gate.script());
  gate.set(false);
  std::jthread running([&] {
    httplib::Client client("127.0.0.1", port());
    client.set_read_timeout(30);
    EXPECT_TRUE(client.Post("/v1/completions", R"({"prompt":"a secret","max_tokens":5})",
                            "application/json"));
  });
  Json slots = Json::array();
  std::string text;
  while (slots.empty() || slots[0]["is_processing"] == false) {
    text = client_->Get("/slots")->body;
    slots = Json::parse(text);
  }
  gate.set(true);
  running.join();
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots[0]["id_task"], 1);
  EXPECT_EQ(slots[0]["n_ctx"], 2048);
  EXPECT_EQ(slots[0]["n_prompt_tokens"], 8);
  EXPECT_EQ(slots[0]["next_token"][0]["n_decoded"], 0);
  EXPECT_GE(slots[0]["next_token"][0]["n_remain"], 5 + 8);
  EXPECT_EQ(slots[0]["polyphon"]["waiting"], false);
  EXPECT_THAT(text, ::testing::Not(HasSubstr("secret")));
}

TEST_F(ServerTest, ReportsEarlierVersionsWhileTheyRunAndAfter) {
  Gate gate;
  start({}, gate.script());
  gate.set(false);
  std::jthread old([&] {
    httplib::Client client("127.0.0.1", port());
    client.set_read_timeout(30);
    EXPECT_TRUE(client.Post("/v1/chat/completions",
                            chat({{"polyphon", {{"topology", "2x8"}}}}).dump(),
                            "application/json"));
  });
  while (metric("llamacpp:requests_processing{version=\"v1\"}") == 0) std::this_thread::yield();
  Reasoner& reasoner = *running_->reasoner;
  auto engine = std::make_unique<Engine>(reasoner.model().make_decoder({2048, 64, 128}),
                                         EngineOptions{}, running_->clock);
  reasoner.swap_version("v2", {}, std::move(engine), {});

  const Json slots = Json::parse(client_->Get("/slots")->body);
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots[0]["polyphon"]["version"], "v1");
  EXPECT_EQ(metric("llamacpp:requests_processing{version=\"v1\"}"), 1);
  EXPECT_EQ(metric("llamacpp:requests_processing{version=\"v2\"}"), 0);

  gate.set(true);
  old.join();
  ok("/v1/completions", {{"prompt", "ab"}, {"max_tokens", 2}});
  for (const char* version : {"v1", "v2"}) {
    const std::string label = std::string("version=\"") + version + "\"}";
    EXPECT_EQ(metric("polyphon_sessions_total{outcome=\"finished\"," + label), 1);
    EXPECT_EQ(metric("polyphon_request_seconds_count{" + label), 1);
    EXPECT_GT(metric("llamacpp:tokens_predicted_total{" + label), 0);
  }
  EXPECT_EQ(metric("polyphon_merges_total{mode=\"kv\",version=\"v1\"}"), 1);
  // Its engine ends but its counts stay. Each family's name occurs once, as the format requires.
  while (metric("polyphon_kv_cells_capacity{version=\"v1\"}") > 0) std::this_thread::yield();
  EXPECT_GT(metric("llamacpp:tokens_predicted_total{version=\"v1\"}"), 0);
  EXPECT_EQ(metric("polyphon_kv_cells_capacity{version=\"v2\"}"), 2048);
  const std::string text = client_->Get("/metrics")->body;
  const std::string type = "# TYPE llamacpp:tokens_predicted_total ";
  EXPECT_THAT(text, HasSubstr(type));
  EXPECT_EQ(text.find(type), text.rfind(type));
}

TEST_F(ServerTest, ReloadReadsItsVersionAgain) {
  ServerOptions options;
  options.api_key_hashes = {hash_api_key("secret")};
  bool broken = false;
  start(options, alphabet, [&]() -> Reloaded {
    if (broken) throw Error(ErrorCode::kInvalidArgument, "heads.gguf is not a GGUF");
    return {"v2", "abc", {"adapter"}};
  });
  EXPECT_EQ(post("/api/v1/reload", "")->status, 401);
  client_->set_bearer_token_auth("secret");
  EXPECT_EQ(ok("/api/v1/reload", Json::object()),
            (Json{{"version", "v2"}, {"digest", "abc"}, {"changed", {"adapter"}}}));
  EXPECT_EQ(post("/api/v1/reload", "")->status, 200);
  EXPECT_EQ(post("/api/v1/reload", R"({"version": "v3"})")->status, 400);
  EXPECT_EQ(client_->Get("/api/v1/reload")->status, 405);
  broken = true;
  const auto refused = post("/api/v1/reload", "");
  EXPECT_EQ(refused->status, 400);
  EXPECT_THAT(Json::parse(refused->body)["error"]["message"].get<std::string>(),
              HasSubstr("not a GGUF"));
}

TEST_F(ServerTest, TellsOfItsSettings) {
  start();
  std::map<std::string, Json> settings;
  const Json body = Json::parse(client_->Get("/api/v1/settings")->body);
  for (const Json& row : body.at("settings")) settings[row.at("name")] = row;
  EXPECT_EQ(settings.at("polyphon.search.mode").at("values"), Json({"off", "auto", "always"}));
  EXPECT_EQ(settings.at("polyphon.search.mode").at("flag"), "--search");
  EXPECT_EQ(settings.at("temperature").at("default"), 0.8);
  EXPECT_EQ(settings.at("server.port").at("maximum"), 65535);
}

TEST_F(ServerTest, ReloadGives404WithoutAVersion) {
  start();
  EXPECT_EQ(post("/api/v1/reload", "")->status, 404);
}

TEST_F(ServerTest, FinishesRunningRequestsBeforeItStops) {
  Gate gate;
  start({}, gate.script());
  gate.set(false);
  std::string streamed;
  std::jthread running([&] {
    httplib::Client client("127.0.0.1", port());
    client.set_read_timeout(30);
    const auto result =
        client.Post("/v1/chat/completions", chat({{"stream", true}}).dump(), "application/json");
    ASSERT_TRUE(result);
    streamed = result->body;
  });
  while (running_->reasoner->engine()->status().sessions_live +
             running_->reasoner->engine()->status().sessions_waiting ==
         0)
    std::this_thread::yield();
  std::jthread stopper([&] { running_->server->stop(); });
  while (client_->Get("/health")->status != 503) std::this_thread::yield();
  const auto late = post("/v1/chat/completions", chat().dump());
  EXPECT_EQ(late->status, 503);
  EXPECT_TRUE(late->has_header("Retry-After"));
  gate.set(true);
  stopper.join();
  running.join();
  EXPECT_TRUE(streamed.ends_with("data: [DONE]\n\n"));
  running_->thread.join();
}

TEST_F(ServerTest, KeepsTracesAndSurvivesAFullDisk) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "server_test_traces.jsonl";
  std::filesystem::remove(path);
  ServerOptions options;
  options.trace_path = path;
  start(options);
  const Json wishes = {{"topology", "2x8"}};
  const Json body = ok("/v1/chat/completions", chat({{"polyphon", wishes}}));
  ASSERT_TRUE(running_->reasoner->sinks().wait(std::chrono::seconds(60)));
  const auto traces = read_traces(path);
  ASSERT_EQ(traces.size(), 1u);
  EXPECT_EQ(body["polyphon"]["trace_id"], Json(traces[0].id));
  options.trace_path = "/dev/full";
  start(options);
  ok("/v1/chat/completions", chat({{"polyphon", wishes}}));
  EXPECT_EQ(metric("polyphon_sessions_total{outcome=\"finished\""), 1);
  EXPECT_EQ(metric("polyphon_sessions_unrecorded_total"), 0);
}

TEST_F(ServerTest, HealthReportsAStuckDecodeThread) {
  Gate gate;
  start({}, gate.script());
  running_->clock.skip(std::chrono::minutes(10));  // an idle decode thread is healthy
  EXPECT_EQ(client_->Get("/health")->status, 200);
  gate.set(false);
  std::jthread running([&] {
    httplib::Client client("127.0.0.1", port());
    client.set_read_timeout(30);
    const auto result =
        client.Post("/v1/completions", R"({"prompt":"a","max_tokens":5})", "application/json");
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, 200);
  });
  while (running_->reasoner->engine()->status().sessions_live == 0) std::this_thread::yield();
  EXPECT_EQ(client_->Get("/health")->status, 200);
  running_->clock.skip(std::chrono::seconds(45));
  for (const char* path : {"/health", "/v1/health"}) {
    const auto health = client_->Get(path);
    EXPECT_EQ(health->status, 503);
    EXPECT_THAT(health->body, HasSubstr("no progress for 45 s"));
  }
  const Json slots = Json::parse(client_->Get("/slots")->body);
  EXPECT_GE(slots.at(0).at("polyphon").at("age_ms").get<double>(), 45'000);
  gate.set(true);
  running.join();
  while (client_->Get("/health")->status != 200) std::this_thread::yield();
}

TEST_F(ServerTest, ThinksByDefaultWhereTheConfigSaysSo) {
  ServerOptions options;
  options.think_by_default = true;
  start(options);
  EXPECT_TRUE(ok("/v1/chat/completions", chat({{"max_tokens", 3}})).contains("polyphon"));
  EXPECT_THAT(ok("/apply-template", chat())["prompt"].get<std::string>(), HasSubstr("hi"));
}

}  // namespace
}  // namespace polyphon
