#include "trainer/trace_decode.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "base/error.h"

namespace polyphon {
namespace {

class TraceDecode {
 public:
  TraceDecode(const Trace& trace, const TraceLayout& layout, const Tokens& anchor, Decoder& decoder,
              const OnDecoded& on_decoded)
      : trace_(trace),
        layout_(layout),
        anchor_(anchor),
        decoder_(decoder),
        on_decoded_(on_decoded) {
    for (SequenceId id = std::min(decoder.max_sequences(), 256) - 1; id >= 0; --id)
      free_ids_.push_back(id);
  }

  void run() {
    auto edit = trace_.edits.begin();
    for (int row = 0; row < layout_.rows();) {
      if (row_is_placed(row)) {
        ++row;
        continue;
      }
      const Step step = step_of(row);
      for (; edit != trace_.edits.end() && edit->step <= step; ++edit) apply(*edit);
      int end = row;
      while (end < layout_.rows() && !row_is_placed(end) && step_of(end) == step) ++end;
      decode(row, end);
      row = end;
    }
  }

 private:
  const TraceSpan& span_of(int row) const {
    return trace_.spans[static_cast<size_t>(layout_.spans[static_cast<size_t>(row)])];
  }
  Step step_of(int row) const {
    return span_of(row).steps[static_cast<size_t>(layout_.indices[static_cast<size_t>(row)])];
  }
  bool row_is_placed(int row) const { return layout_.placed[static_cast<size_t>(row)]; }

  SequenceId id_of(int sequence) {
    const auto found = ids_.find(sequence);
    return found != ids_.end() ? found->second : ids_[sequence] = take_id();
  }
  SequenceId take_id() {
    if (free_ids_.empty())
      throw Error(ErrorCode::kInvalidArgument,
                  "trace " + trace_.id + " has more views at a time than the decoder");
    const SequenceId id = free_ids_.back();
    free_ids_.pop_back();
    return id;
  }
  void free_id(SequenceId id) {
    decoder_.clear(id);
    free_ids_.push_back(id);
  }

  void apply(const TraceEdit& edit) {
    switch (edit.kind) {
      case EditKind::kOpen:
        return;
      case EditKind::kJoin:
        return decoder_.join(id_of(edit.source), id_of(edit.sequence), edit.begin, edit.end);
      case EditKind::kDrop:
        return decoder_.drop(id_of(edit.sequence), edit.begin, edit.end);
      case EditKind::kPlace:
        return place(edit);
      case EditKind::kClose:
        free_id(id_of(edit.sequence));
        ids_.erase(edit.sequence);
    }
  }

  // As the engine does: decoded alone after the anchor, then turned to where it is wanted.
  void place(const TraceEdit& edit) {
    const auto span =
        std::find_if(trace_.spans.begin(), trace_.spans.end(), [&](const TraceSpan& each) {
          return each.sequence == edit.sequence && each.begin == edit.begin && !each.tokens.empty();
        });
    SavedCells cells{span->tokens, static_cast<Position>(anchor_.size()), ""};
    const SequenceId alone = take_id();
    std::vector<Row> rows;
    for (const Tokens* part : {&anchor_, &std::as_const(cells.tokens)})
      for (Token token : *part)
        rows.push_back({token, static_cast<Position>(rows.size()), alone, false});
    check(decoder_.decode(rows, false));
    decoder_.drop(alone, 0, cells.begin);
    cells.bytes = decoder_.save(alone);
    decoder_.clear(alone);
    if (!decoder_.restore(alone, cells, edit.begin))
      throw Error(ErrorCode::kInvalidArgument,
                  "trace " + trace_.id + " places cells, which this model cannot");
    decoder_.join(alone, id_of(edit.sequence), edit.begin, edit.end);
    free_id(alone);
  }

  void decode(int begin, int end) {
    while (begin < end) {
      std::vector<Row> rows;
      std::vector<int> numbers;
      for (; begin < end && static_cast<int>(rows.size()) < decoder_.max_rows(); ++begin) {
        const auto at = static_cast<size_t>(begin);
        rows.push_back(
            {layout_.tokens[at], layout_.positions[at], id_of(span_of(begin).sequence), true});
        numbers.push_back(begin);
      }
      check(decoder_.decode(rows, true));
      on_decoded_(numbers, decoder_);
    }
  }

  void check(DecodeStatus status) const {
    if (status == DecodeStatus::kNoSpace)
      throw Error(ErrorCode::kInvalidArgument, "trace " + trace_.id +
                                                   " needs more cells than the decoder's " +
                                                   std::to_string(decoder_.capacity_cells()));
    if (status != DecodeStatus::kOk)
      throw Error(ErrorCode::kInternal, "trace " + trace_.id + " could not be decoded again");
  }

  const Trace& trace_;
  const TraceLayout& layout_;
  const Tokens& anchor_;
  Decoder& decoder_;
  const OnDecoded& on_decoded_;
  std::map<int, SequenceId> ids_;  // by the trace's number
  std::vector<SequenceId> free_ids_;
};

}  // namespace

void decode_trace(const Trace& trace, const TraceLayout& layout, const Tokens& anchor,
                  Decoder& decoder, const OnDecoded& on_decoded) {
  TraceDecode(trace, layout, anchor, decoder, on_decoded).run();
}

}  // namespace polyphon
