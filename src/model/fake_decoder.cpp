#include "model/fake_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/random.h"

namespace polyphon {
namespace {

uint64_t hash_of(const Tokens& tokens) {
  uint64_t hash = 0;
  for (Token token : tokens) hash = mix_bits(hash ^ static_cast<uint64_t>(token));
  return hash;
}

void hash_script(const FakeRow& row, std::span<float> logits) {
  logits['a' + hash_of(row.visible) % 26] = 10;
}

}  // namespace

FakeDecoder::FakeDecoder(const Options& options, Script script)
    : options_(options),
      script_(script ? std::move(script) : hash_script),
      ledger_(options.capacity_cells) {}

FakeRow FakeDecoder::look(const Row& row) const {
  std::vector<std::pair<Position, Token>> visible;
  for (const CellLedger::Cell& cell : ledger_.cells())
    if (cell.views.test(static_cast<size_t>(row.sequence)) && cell.position <= row.position)
      visible.emplace_back(cell.position, cell.token);
  std::stable_sort(visible.begin(), visible.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  FakeRow seen{row, {}, {}};
  for (const auto& [position, token] : visible) {
    seen.positions.push_back(position);
    seen.visible.push_back(token);
  }
  return seen;
}

DecodeStatus FakeDecoder::decode(std::span<const Row> rows, bool want_hidden) {
  POLYPHON_CHECK(static_cast<int>(rows.size()) <= options_.max_rows);
  if (fail_in_ >= 0 && fail_in_-- == 0) return fail_status_;
  if (static_cast<int>(rows.size()) > ledger_.free()) return DecodeStatus::kNoSpace;
  if (options_.on_decode) options_.on_decode(rows);
  ++decodes_;
  rows_decoded_ += static_cast<int>(rows.size());
  logits_.assign(rows.size(), {});
  hidden_.assign(rows.size(), {});
  for (const Row& row : rows) {
    POLYPHON_CHECK(row.sequence >= 0 && row.sequence < options_.max_sequences);
    POLYPHON_CHECK(row.token >= 0 && row.token < options_.vocabulary_size);
    POLYPHON_CHECK(row.position == ledger_.last_position(row.sequence) + 1);
    POLYPHON_CHECK(!want_hidden || row.output);
    POLYPHON_CHECK(ledger_.add(row.sequence, row.position, row.token));
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].output) continue;
    const FakeRow seen = look(rows[i]);
    logits_[i].assign(static_cast<size_t>(options_.vocabulary_size), 0.0f);
    script_(seen, logits_[i]);
    if (!want_hidden) continue;
    Random random(hash_of(seen.visible));
    for (int d = 0; d < options_.hidden_size; ++d)
      hidden_[i].push_back(static_cast<float>(random.uniform() - 0.5));
  }
  return DecodeStatus::kOk;
}

std::span<float> FakeDecoder::logits(int row) {
  POLYPHON_CHECK(!logits_.at(static_cast<size_t>(row)).empty());
  return logits_[static_cast<size_t>(row)];
}

std::span<const float> FakeDecoder::hidden(int row) const {
  POLYPHON_CHECK(!hidden_.at(static_cast<size_t>(row)).empty());
  return hidden_[static_cast<size_t>(row)];
}

void FakeDecoder::join(SequenceId source, SequenceId target, Position begin, Position end) {
  ledger_.join(source, target, begin, end);
}

void FakeDecoder::drop(SequenceId sequence, Position begin, Position end) {
  ledger_.drop(sequence, begin, end);
}

void FakeDecoder::clear(SequenceId sequence) {
  ledger_.drop(sequence, 0, std::numeric_limits<Position>::max());
}

Position FakeDecoder::last_position(SequenceId sequence) const {
  return ledger_.last_position(sequence);
}

std::string FakeDecoder::save(SequenceId sequence) {
  std::string bytes;
  for (const CellLedger::Cell& cell : ledger_.cells())
    if (cell.views.test(static_cast<size_t>(sequence))) bytes += fmt::format("{} ", cell.token);
  return bytes;
}

bool FakeDecoder::restore(SequenceId sequence, const SavedCells& cells, Position begin) {
  std::string expected;
  for (Token token : cells.tokens) expected += fmt::format("{} ", token);
  if (cells.bytes != expected || static_cast<int>(cells.tokens.size()) > ledger_.free())
    return false;
  POLYPHON_CHECK(ledger_.last_position(sequence) < 0);
  for (Token token : cells.tokens) POLYPHON_CHECK(ledger_.add(sequence, begin++, token));
  return true;
}

void FakeDecoder::fail_decode(int n, DecodeStatus status) {
  fail_in_ = n;
  fail_status_ = status;
}

}  // namespace polyphon
