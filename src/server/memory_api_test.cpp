// Kept memory over HTTP, with two tenants and a fake model.
#include <gmock/gmock.h>
#include <httplib.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "base/clock.h"
#include "model/fake_language_model.h"
#include "record/codec.h"
#include "server/auth.h"
#include "server/server.h"

namespace polyphon {
namespace {

using ::testing::HasSubstr;

class MemoryApiTest : public ::testing::Test {
 protected:
  MemoryApiTest() {
    FakeDecoder::Options sizes;
    sizes.capacity_cells = 1 << 14;
    sizes.max_sequences = 128;
    sizes.max_rows = 512;
    auto model = std::make_unique<FakeLanguageModel>(sizes);
    auto engine = std::make_unique<Engine>(model->make_fake_decoder(), EngineOptions{}, clock_);
    reasoner_ = std::make_unique<Reasoner>(std::move(model), std::move(engine), ReasonOptions{},
                                           Reasoner::Identity{"v1", "digest", "config"});
    path_ = std::filesystem::temp_directory_path() /
            ("polyphon-memory-" + std::to_string(::getpid()) + ".db");
    remove_file();
  }
  void TearDown() override {
    if (server_) {
      server_->stop();
      thread_.join();
    }
    server_.reset();
    reasoner_.reset();
    remove_file();
  }

  void remove_file() const {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path_.string() + end);
  }

  void start(bool with_store = true) {
    if (with_store)
      reasoner_->use_memory_store(std::make_unique<MemoryStore>(path_.string(), StoreLimits{}));
    ServerOptions options;
    options.port = 0;
    options.api_key_hashes = {hash_api_key("ada"), hash_api_key("bob")};
    server_ = std::make_unique<Server>(*reasoner_, options);
    server_->bind();
    thread_ = std::jthread([this] { server_->serve(); });
    client_ = std::make_unique<httplib::Client>("127.0.0.1", server_->port());
  }

  // Returns status and body.
  std::pair<int, std::string> call(const std::string& method, const std::string& path,
                                   const std::string& key = "ada", const Json& body = {}) {
    httplib::Request request;
    request.method = method;
    request.path = path;
    request.headers = {{"Authorization", "Bearer " + key}};
    if (!body.is_null()) request.body = body.dump();
    const auto result = client_->send(request);
    if (!result) return {0, ""};
    return {result->status, result->body};
  }
  Json ok(const std::string& method, const std::string& path, const std::string& key = "ada",
          const Json& body = {}) {
    const auto [status, text] = call(method, path, key, body);
    EXPECT_TRUE(status == 200 || status == 201) << path << " " << status << " " << text;
    return Json::parse(text);
  }

  // Runs a session of `key`'s tenant in which the stream says `script`.
  Finished think(const std::string& key, const std::string& problem, const std::string& script) {
    ThinkInput input;
    input.chat.messages = {{{"role", "user"}, {"content", problem}}};
    input.topology = parse_topology("1x90");
    input.max_answer_tokens = 4;
    if (!script.empty()) input.scripts = {Tokens(script.begin(), script.end())};
    input.memory.enabled = true;
    input.memory.cadence_tokens = 0;
    SessionTerms terms;
    terms.tenant = hash_api_key(key).substr(0, 16);
    SessionTicket ticket = reasoner_->think(input, terms);
    return wait_finished(ticket);
  }

  const SteadyClock clock_;
  std::filesystem::path path_;
  std::unique_ptr<Reasoner> reasoner_;
  std::unique_ptr<Server> server_;
  std::jthread thread_;
  std::unique_ptr<httplib::Client> client_;
};

TEST_F(MemoryApiTest, AMarkedFactComesBackInTheTenantsNextSessionOnly) {
  start();
  const Finished first = think("ada", "Note it.", "[remember: the code of Falcon is 4417]");
  const std::string session = first.trace->id;
  const Json listed = ok("GET", "/api/v1/memory?session=" + session);
  ASSERT_GE(listed.at("total").get<int>(), 1);
  EXPECT_THAT(listed.dump(), HasSubstr("the code of Falcon is 4417"));

  const Finished again = think("ada", "What is the code of Falcon?", "");
  const std::vector<MemoryRecall>& recalls = again.trace->result.memory.value().recalls;
  ASSERT_FALSE(recalls.empty());
  EXPECT_EQ(recalls[0].by, RecallCause::kStart);
  EXPECT_EQ(recalls[0].nodes.at(0).text, "the code of Falcon is 4417");
  // The trace lists the loaded nodes, so that a replay loads them too.
  EXPECT_THAT(to_json(again.trace->request).dump(), HasSubstr("4417"));

  const Finished other = think("bob", "What is the code of Falcon?", "");
  EXPECT_TRUE(other.trace->result.memory.value().recalls.empty());
  EXPECT_EQ(ok("GET", "/api/v1/memory?q=falcon", "bob").at("total"), 0);
}

TEST_F(MemoryApiTest, ASessionWithoutKeepStoresNothing) {
  start();
  ThinkInput input;
  input.chat.messages = {{{"role", "user"}, {"content", "Note it."}}};
  input.topology = parse_topology("1x60");
  input.max_answer_tokens = 4;
  const std::string script = "[remember: the code is 4417]";
  input.scripts = {Tokens(script.begin(), script.end())};
  input.memory.enabled = true;
  input.memory.keep = false;
  SessionTicket ticket = reasoner_->think(input, {});
  const Finished finished = wait_finished(ticket);
  EXPECT_THAT(to_json(finished.trace->result)["memory"].dump(), HasSubstr("4417"));
  EXPECT_TRUE(reasoner_->memory_store()->list("").empty());
}

TEST_F(MemoryApiTest, NodesAreAddedSearchedEditedAndForgotten) {
  start();
  const Json added = ok("POST", "/api/v1/memory", "ada", {{"text", "Pens come in dozens."}});
  ok("POST", "/api/v1/memory", "ada", {{"text", "The bridge opens at nine."}});
  const std::string node = "/api/v1/memory/" + added.at("id").dump();
  EXPECT_EQ(ok("GET", "/api/v1/memory?q=bridges").at("nodes").at(0).at("text"),
            "The bridge opens at nine.");
  EXPECT_EQ(ok("GET", "/api/v1/memory?limit=1&offset=1").at("nodes").size(), 1u);
  ok("PATCH", node, "ada", {{"text", "Pens come in tens."}});
  EXPECT_EQ(ok("GET", node).at("text"), "Pens come in tens.");
  EXPECT_EQ(call("PATCH", node, "ada", {{"text", "The bridge opens at nine."}}).first, 400);
  EXPECT_EQ(ok("DELETE", node).at("forgotten"), 1);
  EXPECT_EQ(call("GET", node).first, 404);
  EXPECT_EQ(ok("DELETE", "/api/v1/memory?all=true").at("forgotten"), 1);
}

TEST_F(MemoryApiTest, AnotherTenantsNodeIsNotFound) {
  start();
  const Json added = ok("POST", "/api/v1/memory", "ada", {{"text", "A secret of Ada's."}});
  const std::string node = "/api/v1/memory/" + added.at("id").dump();
  EXPECT_EQ(call("GET", node, "bob").first, 404);
  EXPECT_EQ(call("PATCH", node, "bob", {{"text", "Bob was here."}}).first, 404);
  EXPECT_EQ(call("DELETE", node, "bob").first, 404);
  EXPECT_EQ(ok("DELETE", "/api/v1/memory?all=true", "bob").at("forgotten"), 0);
  EXPECT_EQ(ok("GET", "/api/v1/memory/export", "bob").at("nodes").size(), 0u);
  EXPECT_EQ(call("GET", node, "carol").first, 401);
  EXPECT_EQ(ok("GET", node).at("text"), "A secret of Ada's.");
}

TEST_F(MemoryApiTest, ExportsTheGraphAsJsonAndGraphMl) {
  start();
  think("ada", "Note it.",
        "[remember: the code of Falcon is 1][remember: the code of Falcon is 2]....");
  ok("POST", "/api/v1/memory", "ada", {{"text", "a < b & \"c\" \x01"}});
  const Json json = ok("GET", "/api/v1/memory/export");
  ASSERT_FALSE(json.at("edges").empty());
  EXPECT_EQ(json.at("edges")[0].at("kind"), "contradicts");
  const auto [status, xml] = call("GET", "/api/v1/memory/export?format=graphml");
  EXPECT_EQ(status, 200);
  EXPECT_THAT(xml, HasSubstr("a &lt; b &amp; \"c\" \uFFFD"));
  EXPECT_THAT(xml, HasSubstr("<data key=\"kind\">contradicts</data>"));
  EXPECT_EQ(call("GET", "/api/v1/memory/export?format=csv").first, 400);
}

TEST_F(MemoryApiTest, WrongRequestsGetAnError) {
  start();
  EXPECT_EQ(call("POST", "/api/v1/memory", "ada", {{"text", ""}}).first, 400);
  EXPECT_EQ(call("POST", "/api/v1/memory", "ada", {{"words", "x"}}).first, 400);
  EXPECT_EQ(call("POST", "/api/v1/memory", "ada", {{"text", std::string(5000, 'x')}}).first, 400);
  EXPECT_EQ(call("DELETE", "/api/v1/memory").first, 400);
  EXPECT_EQ(call("DELETE", "/api/v1/memory?all=true&session=s").first, 400);
  EXPECT_EQ(call("GET", "/api/v1/memory?limit=-1").first, 400);
  EXPECT_EQ(call("GET", "/api/v1/memory/99999999999999999999").first, 404);
  EXPECT_EQ(call("PUT", "/api/v1/memory").first, 405);
}

TEST_F(MemoryApiTest, WithoutAStoreTheApiGives404AndSessionsStillRemember) {
  start(false);
  EXPECT_EQ(call("GET", "/api/v1/memory").first, 404);
  const Finished finished = think("ada", "Note it.", "[remember: the code is 4417]");
  EXPECT_THAT(to_json(finished.trace->result)["memory"].dump(), HasSubstr("4417"));
}

}  // namespace
}  // namespace polyphon
