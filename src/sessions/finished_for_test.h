// The end of a session as its client sees it.
#pragma once

#include <utility>

#include "record/codec.h"
#include "streams/events.h"

namespace polyphon {

struct FinishedForTest : Finished {
  FinishedForTest() = default;
  FinishedForTest(Finished finished)  // NOLINT(google-explicit-constructor)
      : Finished(std::move(finished)), polyphon(trace ? polyphon_object(*trace) : Json()) {}

  Json polyphon;  // the answer's "polyphon" object
};

}  // namespace polyphon
