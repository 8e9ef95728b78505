#include "store/memory_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace polyphon {
namespace {

constexpr StoreLimits kLimits{10, 1 << 20};

class MemoryStoreTest : public ::testing::Test {
 protected:
  MemoryStoreTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("polyphon-store-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return (folder_ / "memory.db").string(); }
  static StoredNode node(const std::string& text, const std::string& session = "s1") {
    StoredNode node;
    node.text = text;
    node.session = session;
    node.how = "marker";
    node.key = {0.5f, -1};
    node.model_digest = "digest";
    return node;
  }

  const std::filesystem::path folder_;
};

TEST_F(MemoryStoreTest, KeepsNodesAndEdgesOverReopening) {
  int64_t a = 0, b = 0;
  {
    MemoryStore store(path(), kLimits);
    a = store.add("ada", node("alpha"));
    b = store.add("ada", node("beta"));
    store.connect("ada", {b, a, "supports"});
  }
  MemoryStore store(path(), kLimits);
  const auto nodes = store.list("ada");
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(nodes[0].text, "beta");
  EXPECT_EQ(nodes[1].key, (std::vector<float>{0.5f, -1}));
  EXPECT_EQ(nodes[1].model_digest, "digest");
  EXPECT_GT(nodes[1].created, 0);
  const auto edges = store.edges("ada");
  ASSERT_EQ(edges.size(), 1u);
  EXPECT_EQ(edges[0].from, b);
  EXPECT_EQ(edges[0].to, a);
  struct stat state{};
  ASSERT_EQ(::stat(path().c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 0777, 0600u);
}

TEST_F(MemoryStoreTest, TenantsDoNotMeet) {
  MemoryStore store(path(), kLimits);
  const int64_t a = store.add("ada", node("alpha"));
  const int64_t b = store.add("bob", node("alpha"));
  EXPECT_NE(a, b);
  store.connect("ada", {a, b, "supports"});
  EXPECT_TRUE(store.edges("ada").empty());
  EXPECT_FALSE(store.find("bob", a).has_value());
  EXPECT_FALSE(store.edit("bob", a, "mine now"));
  EXPECT_EQ(store.forget_node("bob", a), 0);
  EXPECT_EQ(store.forget_session("bob", "s1"), 1);
  EXPECT_EQ(store.forget_tenant("bob"), 0);
  EXPECT_EQ(store.find("ada", a)->text, "alpha");
}

TEST_F(MemoryStoreTest, ForgetsBySessionAndByTenantWithTheEdges) {
  MemoryStore store(path(), kLimits);
  const int64_t a = store.add("ada", node("alpha", "s1"));
  const int64_t b = store.add("ada", node("beta", "s2"));
  store.connect("ada", {b, a, "supports"});
  EXPECT_EQ(store.forget_session("ada", "s1"), 1);
  EXPECT_TRUE(store.edges("ada").empty());
  EXPECT_EQ(store.forget_tenant("ada"), 1);
  EXPECT_TRUE(store.list("ada").empty());
}

TEST_F(MemoryStoreTest, ATextIsKeptOnceAndAnEditDropsItsKey) {
  MemoryStore store(path(), kLimits);
  const int64_t a = store.add("ada", node("alpha"));
  EXPECT_EQ(store.add("ada", node("alpha", "s2")), a);
  EXPECT_TRUE(store.edit("ada", a, "gamma"));
  EXPECT_EQ(store.find("ada", a)->text, "gamma");
  EXPECT_TRUE(store.find("ada", a)->key.empty());
  store.add("ada", node("beta"));
  EXPECT_FALSE(store.edit("ada", a, "beta"));  // the tenant has it already
}

TEST_F(MemoryStoreTest, OverTheLimitOneNodeGoesButNotTheNewOne) {
  MemoryStore store(path(), {2, 1 << 20});
  store.add("ada", node("alpha"));
  const int64_t b = store.add("ada", node("beta"));
  const int64_t c = store.add("ada", node("gamma"));
  ASSERT_EQ(store.list("ada").size(), 2u);
  EXPECT_TRUE(store.find("ada", b).has_value());
  EXPECT_TRUE(store.find("ada", c).has_value());
  store.add("bob", node("alpha"));
  EXPECT_EQ(store.list("ada").size(), 2u);
}

StoredCells cells(const std::string& model, size_t bytes) {
  return {model, {3, 1, 4}, 1, std::string(bytes, '\0') + "x"};
}

TEST_F(MemoryStoreTest, CellsComeBackForTheirModelAndTenantAlone) {
  MemoryStore store(path(), kLimits);
  const int64_t a = store.add("ada", node("alpha"));
  store.keep_cells("ada", a, cells("m1", 100));
  store.keep_cells("bob", a, cells("m1", 200));  // not bob's
  const auto kept = store.cells("ada", a, "m1");
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->tokens, (std::vector<int32_t>{3, 1, 4}));
  EXPECT_EQ(kept->begin, 1);
  EXPECT_EQ(kept->bytes, cells("m1", 100).bytes);
  EXPECT_FALSE(store.cells("ada", a, "m2").has_value());
  EXPECT_FALSE(store.cells("bob", a, "m1").has_value());
  store.keep_cells("ada", a, cells("m2", 5));
  EXPECT_FALSE(store.cells("ada", a, "m1").has_value());
  EXPECT_TRUE(store.cells("ada", a, "m2").has_value());
  ASSERT_TRUE(store.edit("ada", a, "other words"));
  EXPECT_FALSE(store.cells("ada", a, "m2").has_value());
}

TEST_F(MemoryStoreTest, DamagedCellsAreForgotten) {
  MemoryStore store(path(), kLimits);
  const int64_t a = store.add("ada", node("alpha"));
  for (const char* damage : {"bytes = x'00'", "bytes = substr(bytes, 1, 50)", "tokens = x'01'"}) {
    store.keep_cells("ada", a, cells("m1", 100));
    SQLite::Database(path(), SQLite::OPEN_READWRITE)
        .exec(std::string("UPDATE cells SET ") + damage);
    EXPECT_FALSE(store.cells("ada", a, "m1").has_value()) << damage;
    EXPECT_EQ(SQLite::Database(path()).execAndGet("SELECT COUNT(*) FROM cells").getInt(), 0);
  }
  EXPECT_EQ(store.find("ada", a)->text, "alpha");
}

TEST_F(MemoryStoreTest, OverTheLimitTheCellsOfTheLeastRecentlyUsedNodeGo) {
  MemoryStore store(path(), {10, 1000});
  std::vector<int64_t> ids;
  for (const char* text : {"alpha", "beta", "gamma"}) {
    ids.push_back(store.add("ada", node(text)));
    store.keep_cells("ada", ids.back(), cells("m1", 400));
  }
  EXPECT_FALSE(store.cells("ada", ids[0], "m1").has_value());
  EXPECT_TRUE(store.cells("ada", ids[1], "m1").has_value());
  EXPECT_TRUE(store.cells("ada", ids[2], "m1").has_value());
  EXPECT_EQ(store.list("ada").size(), 3u);  // the texts stay
}

TEST_F(MemoryStoreTest, AStoreOfTheFirstVersionGoesOn) {
  int64_t a = 0;
  {
    MemoryStore store(path(), kLimits);
    a = store.add("ada", node("alpha"));
  }
  SQLite::Database(path(), SQLite::OPEN_READWRITE)
      .exec("DROP TABLE cells; PRAGMA user_version = 1");
  MemoryStore store(path(), kLimits);
  EXPECT_EQ(store.find("ada", a)->text, "alpha");
  store.keep_cells("ada", a, cells("m1", 5));
  EXPECT_TRUE(store.cells("ada", a, "m1").has_value());
}

TEST_F(MemoryStoreTest, AFileThatIsNoStoreIsRefused) {
  std::ofstream(path()) << std::string(5000, 'x');
  EXPECT_THROW(MemoryStore(path(), kLimits), Error);
  try {
    MemoryStore store((folder_ / "none" / "memory.db").string(), kLimits);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  }
}

// A full disk, as a limit on the size of files: SQLite's write fails.
TEST_F(MemoryStoreTest, ADiskThatIsFullIsAnErrorAndLosesNothing) {
  MemoryStore store(path(), kLimits);
  const int64_t a = store.add("ada", node("alpha"));
  rlimit limit{}, before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  limit = before;
  limit.rlim_cur = 1 << 16;
  ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_THROW(store.add("ada", node(std::string(1 << 20, 'x'))), Error);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(store.find("ada", a)->text, "alpha");
  EXPECT_GT(store.add("ada", node("beta")), a);
}

}  // namespace
}  // namespace polyphon
