// A Decoder without a model, for tests: its memory is a CellLedger, it CHECKs libllama's rules, and
// its logits are a function of what the row sees, so that a wrong view shows in the tokens.
#pragma once

#include <functional>
#include <vector>

#include "model/cell_ledger.h"
#include "model/decoder.h"

namespace polyphon {

// What a row saw: the tokens at positions up to its own in its view, its own last.
struct FakeRow {
  Row row;
  Tokens visible;                   // by position, then by cell
  std::vector<Position> positions;  // of the visible tokens
};

class FakeDecoder final : public Decoder {
 public:
  struct Options {
    int capacity_cells = 4096;
    int max_sequences = 64;
    int max_rows = 128;
    int vocabulary_size = 259;
    int hidden_size = 4;
    // Called with the rows of each decode, e.g. to let a fake clock go on by what they cost.
    std::function<void(std::span<const Row>)> on_decode = {};
  };
  // Fills the logits of a row (zero before). Without one the next token is a hash of what is
  // visible, among the lower-case letters.
  using Script = std::function<void(const FakeRow&, std::span<float> logits)>;

  explicit FakeDecoder(const Options& options, Script script = {});

  int capacity_cells() const override { return options_.capacity_cells; }
  int max_sequences() const override { return options_.max_sequences; }
  int max_rows() const override { return options_.max_rows; }
  int threads() const override { return 1; }
  int vocabulary_size() const override { return options_.vocabulary_size; }
  int hidden_size() const override { return options_.hidden_size; }
  int64_t bytes_per_cell() const override { return 1024; }

  DecodeStatus decode(std::span<const Row> rows, bool want_hidden) override;
  std::span<float> logits(int row) override;
  std::span<const float> hidden(int row) const override;
  void join(SequenceId source, SequenceId target, Position begin, Position end) override;
  void drop(SequenceId sequence, Position begin, Position end) override;
  void clear(SequenceId sequence) override;
  Position last_position(SequenceId sequence) const override;
  std::string cells_format() const override { return "fake"; }
  std::string save(SequenceId sequence) override;
  bool restore(SequenceId sequence, const SavedCells& cells, Position begin) override;

  // Faults: the n-th decode from now (0 is the next) gives `status` and computes nothing.
  void fail_decode(int n, DecodeStatus status);
  const CellLedger& ledger() const { return ledger_; }
  int decodes() const { return decodes_; }
  int rows_decoded() const { return rows_decoded_; }

 private:
  FakeRow look(const Row& row) const;

  Options options_;
  Script script_;
  CellLedger ledger_;
  std::vector<std::vector<float>> logits_;  // [rows][vocabulary_size], empty without output
  std::vector<std::vector<float>> hidden_;  // [rows][hidden_size], empty unless wanted
  int decodes_ = 0;
  int rows_decoded_ = 0;
  int fail_in_ = -1;
  DecodeStatus fail_status_ = DecodeStatus::kFailed;
};

}  // namespace polyphon
