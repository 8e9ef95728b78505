#include "model/llama_decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/real_model_for_test.h"

namespace polyphon {
namespace {

// Logits are of order 10; kernels that sum in another order move them by far less than this, a
// missing or foreign cell by far more.
constexpr float kTolerance = 0.35f;

Tokens text(const std::string& words) {
  return real_model().vocabulary().tokenize(words, false, false);
}

std::unique_ptr<Decoder> small_decoder() {
  return real_model().make_decoder({.context_cells = 512, .max_sequences = 8, .max_rows = 128});
}

using Logits = std::vector<float>;

std::vector<Row> rows_of(const Decoder& decoder, SequenceId sequence, const Tokens& tokens) {
  std::vector<Row> rows;
  Position position = decoder.last_position(sequence);
  for (Token token : tokens) rows.push_back({token, ++position, sequence, false});
  rows.back().output = true;
  return rows;
}

// Decodes the tokens at the end of the view; the logits after the last.
Logits extend(Decoder& decoder, SequenceId sequence, const Tokens& tokens) {
  const std::vector<Row> rows = rows_of(decoder, sequence, tokens);
  EXPECT_EQ(decoder.decode(rows, false), DecodeStatus::kOk);
  const std::span<float> logits = decoder.logits(static_cast<int>(rows.size()) - 1);
  return {logits.begin(), logits.end()};
}

float distance(const Logits& a, const Logits& b) {
  float most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::fabs(a[i] - b[i]));
  return most;
}

TEST(LlamaDecoderRealModel, AForkThatDivergesEqualsASequenceOfItsOwn) {
  const Tokens prompt = text("The capital of France is"), left = text(" Paris, and"),
               right = text(" not London, but");
  const auto forked = small_decoder(), alone = small_decoder();
  extend(*forked, 0, prompt);
  forked->join(0, 1, 0, forked->last_position(0) + 1);
  const Logits from_left = extend(*forked, 0, left), from_right = extend(*forked, 1, right);

  Tokens whole = prompt;
  whole.insert(whole.end(), right.begin(), right.end());
  const Logits expected = extend(*alone, 0, whole);
  EXPECT_LT(distance(from_right, expected), kTolerance);
  EXPECT_GT(distance(from_left, expected), 4 * kTolerance);
}

TEST(LlamaDecoderRealModel, AJoinedPrefixGivesTheSameLogits) {
  const Tokens prefix = text("One, two, three, four,"), rest = text(" five, six");
  const auto decoder = small_decoder();
  extend(*decoder, 0, prefix);
  const Logits first = extend(*decoder, 0, rest);
  decoder->join(0, 3, 0, static_cast<Position>(prefix.size()));
  EXPECT_EQ(decoder->last_position(3), static_cast<Position>(prefix.size()) - 1);
  decoder->clear(0);
  EXPECT_EQ(decoder->last_position(0), -1);
  EXPECT_LT(distance(extend(*decoder, 3, rest), first), kTolerance);
}

// The act that everything rests on: a note decoded by one sequence is seen by another after the
// edit, and only then.
TEST(LlamaDecoderRealModel, ASpanThatJoinsAViewIsSeen) {
  const Tokens note = text("The secret code word is marmalade."),
               question = text(" Again, the secret code word is");
  const Token answer = text(" marmalade").front();
  const auto rank = [&](const Logits& logits) {
    return std::count_if(logits.begin(), logits.end(),
                         [&](float logit) { return logit > logits[static_cast<size_t>(answer)]; });
  };
  const auto decoder = small_decoder();
  extend(*decoder, 0, note);
  const Tokens opening = text("Hello.");
  extend(*decoder, 1, opening);
  EXPECT_GT(rank(extend(*decoder, 1, question)), 20);
  decoder->drop(1, static_cast<Position>(opening.size()), 1 << 20);
  decoder->join(0, 1, 0, static_cast<Position>(note.size()));
  EXPECT_EQ(decoder->last_position(1), static_cast<Position>(note.size()) - 1);
  EXPECT_LT(rank(extend(*decoder, 1, question)), 3);
}

TEST(LlamaDecoderRealModel, HiddenStatesComeTogetherWithLogits) {
  const auto decoder = small_decoder();
  extend(*decoder, 0, text("A sentence about"));
  decoder->join(0, 1, 0, 100);
  const Token token = text(" rain").front();
  const Position position = decoder->last_position(0) + 1;
  const std::vector<Row> rows = {{token, position, 0, true}, {token, position, 1, true}};
  ASSERT_EQ(decoder->decode(rows, true), DecodeStatus::kOk);
  ASSERT_EQ(decoder->hidden(1).size(), 576u);
  double norm = 0, difference = 0;
  for (size_t i = 0; i < 576; ++i) {
    norm += std::fabs(decoder->hidden(0)[i]);
    difference += std::fabs(decoder->hidden(0)[i] - decoder->hidden(1)[i]);
  }
  EXPECT_GT(norm, 1);
  EXPECT_LT(difference, 0.01 * norm);  // both saw the same
  const Logits with_hidden(decoder->logits(0).begin(), decoder->logits(0).end());
  decoder->drop(0, position, position + 1);
  EXPECT_LT(distance(extend(*decoder, 0, {token}), with_hidden), kTolerance);
}

TEST(LlamaDecoderRealModel, AFullCacheSaysSoAndStaysUsable) {
  const auto decoder =
      real_model().make_decoder({.context_cells = 256, .max_sequences = 4, .max_rows = 64});
  const Tokens block(64, text(" word").front());
  for (int i = 0; i < decoder->capacity_cells() / 64; ++i) extend(*decoder, 0, block);
  const std::vector<Row> more = rows_of(*decoder, 1, block);
  EXPECT_EQ(decoder->decode(more, false), DecodeStatus::kNoSpace);
  EXPECT_EQ(decoder->last_position(1), -1);
  decoder->clear(0);
  EXPECT_EQ(decoder->decode(more, false), DecodeStatus::kOk);
}

TEST(LlamaDecoderRealModel, ABatchThatLibllamaRefusesFails) {
  const auto decoder = small_decoder();
  extend(*decoder, 0, text("Hello there"));
  const Row gap{1, decoder->last_position(0) + 5, 0, true};
  EXPECT_EQ(decoder->decode({&gap, 1}, false), DecodeStatus::kFailed);
  const Row unknown{1 << 30, decoder->last_position(0) + 1, 0, true};
  EXPECT_EQ(decoder->decode({&unknown, 1}, false), DecodeStatus::kFailed);
  extend(*decoder, 0, text(" again"));
}

TEST(LlamaDecoderRealModel, SizesAreThoseOfTheContext) {
  const auto decoder =
      real_model().make_decoder({.context_cells = 256, .max_sequences = 256, .max_rows = 512});
  EXPECT_EQ(decoder->capacity_cells(), 256);
  EXPECT_EQ(decoder->max_sequences(), 256);
  EXPECT_EQ(decoder->max_rows(), 256);  // libllama takes no batch longer than its context
  EXPECT_EQ(decoder->hidden_size(), 576);
  EXPECT_EQ(decoder->vocabulary_size(), real_model().vocabulary().size());
  EXPECT_EQ(decoder->bytes_per_cell(), 30 * 2 * 3 * 64 * 2);  // layers, k and v, heads, size, f16
  EXPECT_EQ(small_decoder()->max_rows(), 128);
}

TEST(LlamaDecoderRealModel, MoreSequencesThanRowsOrCellsAreNoReasonToAbort) {
  const auto few_rows =
      real_model().make_decoder({.context_cells = 512, .max_sequences = 64, .max_rows = 16});
  EXPECT_EQ(few_rows->max_sequences(), 64);
  const auto few_cells =
      real_model().make_decoder({.context_cells = 64, .max_sequences = 256, .max_rows = 512});
  EXPECT_EQ(few_cells->max_sequences(), 64);
  extend(*few_cells, 63, text("The capital"));
}

TEST(LlamaDecoderRealModel, OptionsThatCannotBeAreRefusedByName) {
  const auto field_of = [](const DecoderOptions& options) -> std::string {
    try {
      real_model().make_decoder(options);
      return "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << error.what();
      return error.field();
    }
  };
  EXPECT_EQ(field_of({.context_cells = 0}), "ctx_size");
  EXPECT_EQ(field_of({.context_cells = 1 << 30}), "ctx_size");
  EXPECT_EQ(field_of({.max_sequences = 257}), "max_sequences");
  EXPECT_EQ(field_of({.max_rows = 0}), "max_rows");
  EXPECT_EQ(field_of({.threads = -1}), "threads");
  EXPECT_EQ(field_of({.kv_type = "f12"}), "kv_type");
  EXPECT_EQ(field_of({.context_cells = 256, .kv_type = "q8_0"}), "accepted");
}

TEST(LlamaDecoderRealModel, AContextBeyondTheMemoryIsRefusedWithTheFigures) {
  try {
    // 16.7 million cells of 46 KB.
    real_model().make_decoder({.context_cells = 1 << 24, .kv_type = "f32"});
    GTEST_SKIP() << "this machine has the memory";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_NE(std::string(error.what()).find("720.0 GiB"), std::string::npos) << error.what();
  }
}

// A run that was decoded beside nothing but an anchor, then taken out.
SavedCells saved_run(Decoder& decoder, const Tokens& anchor, const Tokens& run) {
  extend(decoder, 0, anchor);
  extend(decoder, 0, run);
  const auto begin = static_cast<Position>(anchor.size());
  decoder.drop(0, 0, begin);
  SavedCells saved{run, begin, decoder.save(0)};
  decoder.clear(0);
  return saved;
}

// RoPE turns with the distance alone: a run placed elsewhere is read as one that was decoded there.
TEST(LlamaDecoderRealModel, SavedCellsAreReadAtAnotherPositionAsIfDecodedThere) {
  const Tokens anchor = text("\n"), run = text(" The code of the red falcon is 4417."),
               question = text(" The code of the red falcon is");
  for (const char* kv_type : {"f16", "q8_0"}) {
    const auto decoder = real_model().make_decoder(
        {.context_cells = 512, .max_sequences = 8, .max_rows = 128, .kv_type = kv_type});
    const SavedCells saved = saved_run(*decoder, anchor, run);
    for (const Position begin : {saved.begin, 300}) {
      ASSERT_TRUE(decoder->restore(1, saved, begin)) << kv_type;
      EXPECT_EQ(decoder->last_position(1), begin + static_cast<Position>(run.size()) - 1);
      const Logits placed = extend(*decoder, 1, question);

      Position next = begin - saved.begin;
      for (const Tokens& part : {anchor, run}) {  // in the batches that the copy came from
        std::vector<Row> rows;
        for (Token token : part) rows.push_back({token, next++, 2, false});
        rows.back().output = true;
        ASSERT_EQ(decoder->decode(rows, false), DecodeStatus::kOk);
      }
      decoder->drop(2, 0, begin);
      // Other cells stand beside these, which moves sums more than kTolerance; a run that is not
      // there, or is read at wrong distances, moves them by far more than 1.
      EXPECT_LT(distance(placed, extend(*decoder, 2, question)), 1) << kv_type << " at " << begin;
      EXPECT_GT(distance(placed, extend(*decoder, 3, question)), 3);
      for (SequenceId sequence : {1, 2, 3}) decoder->clear(sequence);
    }
  }
}

TEST(LlamaDecoderRealModel, CopiesThatDoNotFitAreRefusedAndChangeNothing) {
  const auto decoder = small_decoder();
  const SavedCells saved = saved_run(*decoder, text("\n"), text(" Two words and more."));
  const Logits before = extend(*decoder, 3, text("The capital of France is"));
  decoder->clear(3);
  SavedCells damaged = saved;
  damaged.bytes.resize(saved.bytes.size() / 2);
  SavedCells other = saved;
  const auto quantised = real_model().make_decoder({.context_cells = 256, .kv_type = "q8_0"});
  other.bytes = saved_run(*quantised, text("\n"), text(" Two words and more.")).bytes;
  SavedCells empty = saved;
  empty.bytes.clear();
  for (const SavedCells& wrong : {damaged, other, empty})
    for (const Position at : {saved.begin, 100}) {
      EXPECT_FALSE(decoder->restore(1, wrong, at));
      EXPECT_EQ(decoder->last_position(1), -1);
    }
  EXPECT_TRUE(decoder->restore(1, saved, 100));
  EXPECT_EQ(extend(*decoder, 3, text("The capital of France is")), before);
}

}  // namespace
}  // namespace polyphon
