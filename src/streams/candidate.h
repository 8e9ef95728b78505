// A candidate for promotion: a register's note, or the conclusion of a stream that has ended. Plain
// data.
#pragma once

#include <string>
#include <vector>

#include "core/token.h"
#include "engine/session.h"
#include "record/span_owner.h"

namespace polyphon {

struct Candidate {
  NoteSource source;
  SequenceNumber sequence = -1;  // the sequence whose view holds the candidate's cells
  Position begin = 0;            // positions [begin, end) in that view
  Position end = 0;
  Tokens tokens;
  std::string text;
  // Exp of the mean log-probability of the note's tokens, or of all tokens of the stream, in (0,
  // 1].
  double confidence = 0;
  double evidence = 0;        // the register's accumulated evidence (RegisterBank); 0 for a stream
  bool conclusion = false;    // true for a stream's conclusion
  std::vector<float> hidden;  // hidden state from which its last token was sampled; may be empty
};

}  // namespace polyphon
