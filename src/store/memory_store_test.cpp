#include "store/memory_store.h"

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
    MemoryStore store(path(), 10);
    a = store.add("ada", node("alpha"));
    b = store.add("ada", node("beta"));
    store.connect("ada", {b, a, "supports"});
  }
  MemoryStore store(path(), 10);
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
  MemoryStore store(path(), 10);
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
  MemoryStore store(path(), 10);
  const int64_t a = store.add("ada", node("alpha", "s1"));
  const int64_t b = store.add("ada", node("beta", "s2"));
  store.connect("ada", {b, a, "supports"});
  EXPECT_EQ(store.forget_session("ada", "s1"), 1);
  EXPECT_TRUE(store.edges("ada").empty());
  EXPECT_EQ(store.forget_tenant("ada"), 1);
  EXPECT_TRUE(store.list("ada").empty());
}

TEST_F(MemoryStoreTest, ATextIsKeptOnceAndAnEditDropsItsKey) {
  MemoryStore store(path(), 10);
  const int64_t a = store.add("ada", node("alpha"));
  EXPECT_EQ(store.add("ada", node("alpha", "s2")), a);
  EXPECT_TRUE(store.edit("ada", a, "gamma"));
  EXPECT_EQ(store.find("ada", a)->text, "gamma");
  EXPECT_TRUE(store.find("ada", a)->key.empty());
  store.add("ada", node("beta"));
  EXPECT_FALSE(store.edit("ada", a, "beta"));  // the tenant has it already
}

TEST_F(MemoryStoreTest, OverTheLimitOneNodeGoesButNotTheNewOne) {
  MemoryStore store(path(), 2);
  store.add("ada", node("alpha"));
  const int64_t b = store.add("ada", node("beta"));
  const int64_t c = store.add("ada", node("gamma"));
  ASSERT_EQ(store.list("ada").size(), 2u);
  EXPECT_TRUE(store.find("ada", b).has_value());
  EXPECT_TRUE(store.find("ada", c).has_value());
  store.add("bob", node("alpha"));
  EXPECT_EQ(store.list("ada").size(), 2u);
}

TEST_F(MemoryStoreTest, AFileThatIsNoStoreIsRefused) {
  std::ofstream(path()) << std::string(5000, 'x');
  EXPECT_THROW(MemoryStore(path(), 10), Error);
  try {
    MemoryStore store((folder_ / "none" / "memory.db").string(), 10);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  }
}

// A full disk, as a limit on the size of files: SQLite's write fails.
TEST_F(MemoryStoreTest, ADiskThatIsFullIsAnErrorAndLosesNothing) {
  MemoryStore store(path(), 10);
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
