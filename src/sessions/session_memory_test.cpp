#include "memory/session_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/clock_for_test.h"
#include "base/error.h"
#include "model/fake_language_model.h"
#include "record/codec.h"
#include "sessions/finished_for_test.h"
#include "sessions/reasoner.h"
#include "sessions/trace_views_for_test.h"
#include "text/sentences.h"

namespace polyphon {
namespace {

// A Reasoner with a fake model: a byte is a token, and the next token is a hash of what a row sees.
// Streams say a script first. Records every decoded row.
class MemoryTest : public ::testing::Test {
 protected:
  // With `lines`, every eighth position ends a line.
  void start(bool lines = false) {
    FakeDecoder::Options sizes;
    sizes.capacity_cells = 1 << 15;
    sizes.max_rows = 2048;
    sizes.max_sequences = 256;
    auto model = std::make_unique<FakeLanguageModel>(
        sizes, [this, lines](const FakeRow& row, std::span<float> logits) {
          rows_.push_back(row);
          if (lines && row.row.position % 8 == 0) logits['\n'] = 100;
          uint64_t seen = 0;
          for (Token token : row.visible) seen = mix_bits(seen + static_cast<uint64_t>(token));
          logits['a' + seen % 26] = 50;
        });
    auto engine = std::make_unique<Engine>(model->make_fake_decoder(), EngineOptions{}, kClock);
    ReasonOptions options;
    options.collapse.enabled = false;
    options.agreement.enabled = false;
    reasoner_ =
        std::make_unique<Reasoner>(std::move(model), std::move(engine), options,
                                   Reasoner::Identity{"v1", "digest", "hash", {"adapter", ""}});
  }

  static Tokens tokens(const std::string& text) {
    return {reinterpret_cast<const unsigned char*>(text.data()),
            reinterpret_cast<const unsigned char*>(text.data()) + text.size()};
  }

  static ThinkInput input(const std::string& topology, const std::string& script) {
    ThinkInput input;
    input.chat.messages = {{{"role", "user"}, {"content", "How many?"}}};
    input.topology = parse_topology(topology);
    input.sampling.seed = 5;
    input.max_answer_tokens = 8;
    if (!script.empty()) input.scripts = {tokens(script)};
    input.memory.enabled = true;
    input.memory.cadence_tokens = 0;
    input.memory.keep_first_tokens = 0;
    input.memory.write_threshold = 1;  // no sentence passes the write head
    return input;
  }

  FinishedForTest think(const ThinkInput& input) {
    SessionTicket ticket = reasoner_->think(input, {});
    return wait_finished(ticket);
  }

  // The step in which the last token of the `n`-th `text` in the stream was decoded.
  static Step step_of(const Trace& trace, const std::string& owner, const std::string& text,
                      int n = 0) {
    std::string said;
    std::vector<Step> steps;
    for (const TraceSpan& span : trace.spans) {
      if (to_string(span.owner) != owner) continue;
      for (Token token : span.tokens) said += static_cast<char>(token);
      steps.insert(steps.end(), span.steps.begin(), span.steps.end());
    }
    size_t at = said.find(text);
    for (; n > 0; --n) at = said.find(text, at + 1);
    return steps.at(at + text.size() - 1);
  }

  // How many of the first marker's cells the stream's view holds at `step`, and how many there are.
  static std::pair<int, int> marker_cells(const Trace& trace, const std::string& marker,
                                          Step step) {
    const TraceSpan& stream = span_of(trace, "stream 0");
    std::string said;
    for (Token token : stream.tokens) said += static_cast<char>(token);
    const size_t begin = said.find(marker);
    const auto view = cells_in_view(trace, stream.sequence, step);
    int seen = 0;
    for (size_t i = begin; i < begin + marker.size(); ++i) seen += view.contains({stream.id, i});
    return {seen, static_cast<int>(marker.size())};
  }

  static std::vector<Json> decisions(const Trace& trace, const std::string& kind) {
    std::vector<Json> found;
    for (const TraceDecision& decision : trace.decisions)
      if (const Json told = to_json(decision); told["kind"] == kind)
        found.push_back(told["detail"]);
    return found;
  }

  static std::string text_of(const TraceSpan& span) {
    return {span.tokens.begin(), span.tokens.end()};
  }
  static std::string node_text(const std::string& text) { return "\n(I remember: " + text + ")\n"; }
  // How many of the span's cells are in its sequence's view at `step`.
  static size_t cells_of(const Trace& trace, const TraceSpan& span, Step step) {
    size_t seen = 0;
    for (const auto& [id, index] : cells_in_view(trace, span.sequence, step)) seen += id == span.id;
    return seen;
  }

  std::unique_ptr<Reasoner> reasoner_;
  std::vector<FakeRow> rows_;
};

constexpr int kWindow = 64;
const std::string kMarker = "[remember: the code is 4417]";

TEST_F(MemoryTest, ANodeLeavesWithTheWindowAndComesBackWhole) {
  start();
  const std::string recall = "[recall: code]";
  ThinkInput wish = input("1x600", "Well. " + kMarker + std::string(300, 'x') + recall +
                                       std::string(5, 'y') + "?" + std::string(200, 'z') + "!");
  wish.memory.window_tokens = kWindow;
  const FinishedForTest result = think(wish);
  const Trace& trace = *result.trace;
  const auto written = [&](const std::string& at) {
    return marker_cells(trace, kMarker, step_of(trace, "stream 0", at));
  };
  const auto whole = std::pair(static_cast<int>(kMarker.size()), static_cast<int>(kMarker.size()));
  EXPECT_EQ(written(kMarker), whole);
  EXPECT_EQ(written(recall).first, 0);

  const TraceSpan& stream = span_of(trace, "stream 0");
  const TraceSpan& placed = span_of(trace, "memory 1");
  EXPECT_EQ(text_of(placed), node_text("the code is 4417"));
  EXPECT_EQ(placed.sequence, stream.sequence);
  const auto recalled = [&](const std::string& at) {
    return cells_of(trace, placed, step_of(trace, "stream 0", at));
  };
  EXPECT_EQ(recalled("[recall: code"), 0u);
  EXPECT_EQ(recalled(recall),
            placed.tokens.size());  // directly after the bracket was sampled and decoded
  EXPECT_EQ(recalled("y?"), placed.tokens.size());
  EXPECT_EQ(recalled("z!"), 0u);
  const Json& recalls = result.polyphon.at("memory").at("recalls");
  ASSERT_EQ(recalls.size(), 1u);
  EXPECT_EQ(recalls[0].at("by"), "marker");
  EXPECT_EQ(recalls[0].at("nodes")[0].at("text"), "the code is 4417");
  // The node was decoded once, alone after an anchor; the recall decoded nothing.
  const TraceSpan& alone = span_of(trace, "node 1");
  EXPECT_EQ(alone.begin, 0);
  EXPECT_EQ(text_of(alone), "\n" + node_text("the code is 4417"));
  EXPECT_EQ(result.polyphon.at("memory").at("rows"), alone.tokens.size());
  EXPECT_EQ(cells_in_view(trace, alone.sequence, alone.steps.back()).size(), alone.tokens.size());
}

TEST_F(MemoryTest, AStreamSeesThePromptItsPreambleAndTheLastWindow) {
  start();
  ThinkInput wish = input("2x400", "");
  wish.memory.window_tokens = kWindow;
  wish.memory.keep_first_tokens = 5;
  const FinishedForTest result = think(wish);
  const Trace& trace = *result.trace;
  const TraceSpan& stream = span_of(trace, "stream 0");
  for (size_t i = 100; i < stream.tokens.size(); i += 37) {
    const auto view = cells_in_view(trace, stream.sequence, stream.steps[i]);
    size_t expected_first = 0;
    for (size_t own = 0; own <= i; ++own) {
      const bool inside = view.contains({stream.id, own});
      if (own < 5) {
        EXPECT_TRUE(inside);
      }
      if (own + kWindow <= i) {
        EXPECT_TRUE(!inside || own < 5) << own << " of " << i;
      }
      if (own + kWindow - kWindow / 8 > i) {
        EXPECT_TRUE(inside) << own << " of " << i;
      }
    }
    expected_first = span_of(trace, "prompt").tokens.size();
    for (size_t p = 0; p < expected_first; ++p)
      EXPECT_TRUE(view.contains({span_of(trace, "prompt").id, p}));
    const TraceSpan& preamble = span_of(trace, "preamble 0");
    for (size_t p = 0; p < preamble.tokens.size(); ++p)
      EXPECT_TRUE(view.contains({preamble.id, p}));
  }
}

TEST_F(MemoryTest, EveryRowSeesWhatTheTraceSays) {
  start();
  ThinkInput wish = input("3x150", "It is 7. " + kMarker + " So the sum is 12. ");
  wish.memory.window_tokens = kWindow;
  wish.memory.cadence_tokens = 16;
  wish.memory.read_threshold = 0;
  wish.memory.write_threshold = 0;
  wish.memory.max_nodes = 4;
  wish.workspace.registers = 1;
  wish.workspace.gate_threshold = 0;
  wish.workspace.cadence_tokens = 24;
  wish.workspace.refractory_tokens = 24;
  const FinishedForTest result = think(wish);
  EXPECT_FALSE(result.polyphon.at("promotions").empty());
  EXPECT_FALSE(result.polyphon.at("memory").at("recalls").empty());
  EXPECT_GT(expect_rows_see_what_the_trace_says(*result.trace, rows_), 300);
}

TEST_F(MemoryTest, ARecallThatFindsNothingIsAnsweredAndRecallsAreLimited) {
  start();
  ThinkInput wish = input("1x120", "[recall: the weather][recall: a][recall: b]");
  wish.memory.max_recall_tokens = 2 * static_cast<int>(nothing_recalled_cue().size());
  const FinishedForTest result = think(wish);
  const std::string text = result.polyphon.at("streams")[0].at("text");
  EXPECT_NE(text.find("[recall: the weather]" + nothing_recalled_cue()), std::string::npos);
  EXPECT_EQ(text.find("[recall: b]" + nothing_recalled_cue()), std::string::npos);
  EXPECT_EQ(decisions(*result.trace, "memory_recall").size(), 3u);
  EXPECT_TRUE(result.polyphon.at("memory").at("recalls").empty());
}

TEST_F(MemoryTest, AFullMemoryDropsTheLeastRecentlyUsedNode) {
  start();
  ThinkInput wish = input("1x140",
                          "[remember: alpha is 1][remember: beta is 2][recall: alpha]"
                          "[remember: gamma is 3]....");
  wish.memory.max_nodes = 2;
  const FinishedForTest result = think(wish);
  const auto writes = decisions(*result.trace, "memory_write");
  ASSERT_GE(writes.size(), 3u);
  EXPECT_EQ(writes[1].at("text"), "beta is 2");
  EXPECT_EQ(writes[2].at("text"), "gamma is 3");
  EXPECT_EQ(writes[2].at("evicted"), writes[1].at("node"));
  EXPECT_EQ(result.polyphon.at("memory").at("nodes").size(), 2u);
}

TEST_F(MemoryTest, AStoredNodeComesBackToEveryStreamAtTheStart) {
  start();
  ThinkInput wish = input("3x60", "");
  wish.memory.problem = "What is the code of Falcon?";
  wish.memory.loaded = {{7, "The code of Falcon is 9.", tokens("The code of Falcon is 9."), {}, {}},
                        {8, "Pens are cheap.", tokens("Pens are cheap."), {}, {}}};
  const FinishedForTest result = think(wish);
  const Trace& trace = *result.trace;
  std::set<int> readers;
  for (const TraceSpan& span : trace.spans) {
    EXPECT_NE(to_string(span.owner), "memory 2");
    if (to_string(span.owner) != "memory 1") continue;
    EXPECT_EQ(text_of(span), "The code of Falcon is 9.");
    const Step last = trace.spans.back().steps.front();
    EXPECT_EQ(cells_of(trace, span, std::min(last, span.steps.front() + 20)), span.tokens.size());
    readers.insert(span.sequence);
  }
  for (int k = 0; k < 3; ++k)
    EXPECT_TRUE(readers.contains(span_of(trace, "stream " + std::to_string(k)).sequence));
  EXPECT_EQ(readers.size(), 3u);
  EXPECT_EQ(result.polyphon.at("memory").at("recalls").size(), 3u);
  EXPECT_EQ(result.polyphon.at("memory").at("rows"), 0);
  EXPECT_GT(expect_rows_see_what_the_trace_says(trace, rows_), 100);
}

TEST_F(MemoryTest, ANodeOfOnePhaseComesBackInTheNext) {
  start();
  ThinkInput wish = input("1x300>2x60", "");
  wish.scripts = {tokens(kMarker + std::string(272, 'x')), tokens("[recall: code]yyyy"),
                  tokens("No need to recall.")};
  wish.memory.window_tokens = kWindow;
  const FinishedForTest result = think(wish);
  const Trace& trace = *result.trace;
  const TraceSpan& placed = span_of(trace, "memory 1");
  EXPECT_EQ(placed.sequence, span_of(trace, "stream 1").sequence);
  EXPECT_EQ(cells_of(trace, placed, placed.steps[0] + 5), placed.tokens.size());
  EXPECT_EQ(result.polyphon.at("memory").at("recalls").size(), 1u);
  EXPECT_GT(expect_rows_see_what_the_trace_says(trace, rows_), 300);
}

TEST_F(MemoryTest, ATextThatIsTooLongIsNotKept) {
  start();
  const FinishedForTest result = think(input("1x300", "[remember: " + std::string(120, 'x') + "]"));
  const auto writes = decisions(*result.trace, "memory_write");
  ASSERT_GE(writes.size(), 1u);
  EXPECT_EQ(writes[0].at("too_long"), node_text(std::string(120, 'x')).size());
  for (const Json& node : result.polyphon.at("memory").at("nodes"))
    EXPECT_NE(node.at("how"), "marker");
}

// A kept node costs the next session no decode. If its cells are damaged or of another model, they
// are computed once from its text.
TEST_F(MemoryTest, CellsAreKeptForTheTenantsNextSession) {
  start();
  const auto path = std::filesystem::temp_directory_path() /
                    ("polyphon-cells-" + std::to_string(::getpid()) + ".db");
  std::filesystem::remove(path);
  reasoner_->use_memory_store(std::make_unique<MemoryStore>(path.string(), StoreLimits{}));
  think(input("1x80", kMarker));
  MemoryStore& store = *reasoner_->memory_store();
  int64_t node = 0;
  for (const StoredNode& each : store.list(""))
    if (each.text == "the code is 4417") node = each.id;
  ASSERT_GT(node, 0);
  const std::string model = "digest adapter fake";
  ASSERT_TRUE(store.cells("", node, model).has_value());

  StoredCells marked = *store.cells("", node, model);
  const auto recall = [&] {
    store.keep_cells("", node, marked);
    ThinkInput wish = input("1x60", "");
    wish.memory.problem = "the code is?";
    wish.memory.keep = false;
    const FinishedForTest result = think(wish);
    EXPECT_EQ(text_of(span_of(*result.trace, "memory 1")), node_text("the code is 4417"));
    return decisions(*result.trace, "memory_refused").size();
  };
  marked.begin = 77;
  EXPECT_EQ(recall(), 0u);
  EXPECT_EQ(store.cells("", node, model)->begin, 77);  // unchanged
  marked.bytes += "7 ";     // the digest is right, but no decoder accepts the cells
  EXPECT_EQ(recall(), 1u);  // fed as text instead
  marked.model = "another";
  EXPECT_EQ(recall(), 0u);
  EXPECT_EQ(store.cells("", node, model)->begin, 1);  // computed again by this model
  std::filesystem::remove(path);
}

TEST_F(MemoryTest, PromotedNotesConclusionsAndSentencesBecomeNodes) {
  start();
  ThinkInput wish = input("2x64", "So the total is 42 apples. And now? ");
  wish.memory.write_threshold = 0.3;
  wish.workspace.registers = 1;
  wish.workspace.gate_threshold = 0;
  wish.workspace.cadence_tokens = 16;
  const FinishedForTest result = think(wish);
  std::map<std::string, int> how;
  for (const Json& node : result.polyphon.at("memory").at("nodes"))
    ++how[node.at("how").get<std::string>()];
  EXPECT_GE(how["promotion"], 1);
  EXPECT_GE(how["conclusion"], 1);
  EXPECT_EQ(how["write_head"], 1);  // both streams said the sentence: one node
  EXPECT_GE(decisions(*result.trace, "memory_consider").size(), 4u);
}

TEST_F(MemoryTest, ReplayIsEqual) {
  start();
  ThinkInput wish = input("2x120", "It is so. " + kMarker + " ");
  wish.memory.window_tokens = 40;
  wish.memory.cadence_tokens = 20;
  wish.memory.read_threshold = 0.01;
  wish.memory.loaded = {{7, "It is 9.", tokens("It is 9."), {0.1f, 0.2f, 0.3f, 0.4f}, {}}};
  wish.memory.problem = "it is 9";
  const FinishedForTest recorded = think(wish);
  const Trace stored = trace_from_json(Json::parse(to_json(*recorded.trace).dump()));
  SessionTicket ticket = reasoner_->replay(stored, {});
  const TraceComparison equal = compare_traces(stored, *wait_finished(ticket).trace);
  EXPECT_EQ(equal.matching, equal.tokens) << equal.first_difference;
  EXPECT_FALSE(recorded.polyphon.at("memory").at("recalls").empty());
}

// The estimated needs are an upper bound, and nothing stays in the cache.
TEST_F(MemoryTest, TheReservedCellsAreEnough) {
  start();
  const std::string busy = "[recall: a][remember: a is 1][recall: a][remember: b is 2]";
  for (const char* topology : {"1x90", "3x90", "2x80>2x80"})
    for (int window : {0, 32, 100})
      for (int nodes : {1, 3}) {
        ThinkInput wish = input(topology, busy);
        wish.memory.window_tokens = window;
        wish.memory.cadence_tokens = 4;
        wish.memory.read_threshold = 0;
        wish.memory.write_threshold = 0;
        wish.memory.max_nodes = nodes;
        wish.memory.loaded = {{1, "a is b.", tokens("a is b."), {}, {}}};
        wish.memory.problem = "a";
        wish.workspace.registers = 1;
        wish.workspace.cadence_tokens = 8;
        wish.workspace.refractory_tokens = 8;
        wish.workspace.gate_threshold = 0;
        EXPECT_NO_THROW(think(wish)) << topology << " " << window << " " << nodes;
      }
  ASSERT_TRUE(reasoner_->engine()->drain(std::chrono::seconds(20)));
  EXPECT_EQ(reasoner_->engine()->status().cells_used, reasoner_->engine()->status().cells_cached);
}

TEST_F(MemoryTest, OptionsOutOfRangeAreRefusedByName) {
  start();
  const auto refused = [&](auto change) {
    ThinkInput wish = input("1x16", "");
    change(wish.memory);
    try {
      think(wish);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return error.field();
    }
    return std::string();
  };
  EXPECT_EQ(refused([](MemoryRequest& m) { m.window_tokens = 31; }),
            "polyphon.memory.window_tokens");
  EXPECT_EQ(refused([](MemoryRequest& m) { m.max_nodes = 1025; }), "polyphon.memory.max_nodes");
  EXPECT_EQ(refused([](MemoryRequest& m) { m.top_k = 0; }), "polyphon.memory.top_k");
  EXPECT_EQ(refused([](MemoryRequest& m) { m.cadence_tokens = -1; }),
            "polyphon.memory.cadence_tokens");
  EXPECT_EQ(refused([](MemoryRequest& m) { m.read_threshold = NAN; }),
            "polyphon.memory.read_threshold");
  EXPECT_EQ(refused([](MemoryRequest& m) { m.write_threshold = 1.1; }),
            "polyphon.memory.write_threshold");
}

// A search appends many tokens at once. Memory reads every line of them, and places nothing in the
// view of a paused stream.
TEST_F(MemoryTest, ReadsTheTokensThatASearchCommits) {
  start(true);
  ThinkInput wish = input("1x240", "");
  wish.memory.write_threshold = 0;
  wish.memory.window_tokens = 2 * kWindow;  // holds a line and what is recalled within it
  wish.memory.max_nodes = 100;
  wish.memory.cadence_tokens = 5;
  wish.memory.read_threshold = 0;
  wish.search.mode = SearchMode::kAlways;
  wish.search.simulations = 6;
  wish.search.min_gap_tokens = 16;
  const FinishedForTest result = think(wish);
  const Trace& trace = *result.trace;
  EXPECT_GT(result.polyphon.at("search").at("committed_tokens"), 30);
  EXPECT_GE(result.polyphon.at("memory").at("recalls").size(), 2u);
  std::vector<std::string> written;
  for (const Json& write : decisions(trace, "memory_write")) written.push_back(write.at("text"));
  std::string said = result.polyphon.at("streams").at(0).at("text");
  for (size_t at = 0; (at = said.find(recall_cue())) != std::string::npos;)
    said.erase(at, recall_cue().size());
  std::vector<std::string> lines;
  for (size_t begin = 0, end; (end = said.find('\n', begin)) != std::string::npos; begin = end + 1)
    lines.emplace_back(trim(std::string_view(said).substr(begin, end - begin)));
  EXPECT_GT(lines.size(), 10u);
  lines.resize(std::min(lines.size(), written.size()));  // the last lines end with the stream
  EXPECT_EQ(lines, written);
  EXPECT_GT(written.size(), 10u);
  EXPECT_GT(expect_rows_see_what_the_trace_says(trace, rows_), 200);
}

}  // namespace
}  // namespace polyphon
