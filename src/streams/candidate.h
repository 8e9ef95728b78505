// What may be broadcast to all streams: a register's note, or the conclusion of a stream that has
// ended. Plain.
#pragma once

#include <string>
#include <vector>

#include "core/token.h"
#include "engine/session.h"
#include "record/span_owner.h"

namespace polyphon {

struct Candidate {
  NoteSource source;
  SequenceNumber sequence = -1;  // whose view holds its cells
  Position begin = 0;            // [begin, end) in that view
  Position end = 0;
  Tokens tokens;
  std::string text;
  double confidence = 0;      // exp of the mean log-probability of its tokens, in (0, 1]
  double evidence = 0;        // the register's leaky sum; 0 for a stream
  bool conclusion = false;    // of a stream
  std::vector<float> hidden;  // the state its last token was sampled from, may be empty
};

}  // namespace polyphon
