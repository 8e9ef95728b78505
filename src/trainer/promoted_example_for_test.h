// A session of two streams in which a register's note was promoted to the second one.
#pragma once

#include "heads/gate.h"
#include "record/example.h"

namespace polyphon {

constexpr int kPromotedRows = 19;

// `tokens`: kPromotedRows of them. `surprise`: what features the gate had, all the same.
inline Example promoted_example(const Tokens& tokens, float feature, float effect) {
  Example example;
  example.tokens = tokens;
  example.runs = {{0, 4, 0, {}},          // prompt
                  {4, 8, 4, {{0, 4}}},    // a stream
                  {8, 11, 8, {{0, 8}}},   // the note
                  {11, 15, 4, {{0, 4}}},  // the other stream, before the promotion and after it
                  {15, 19, 11, {{0, 4}, {8, 15}}, {{8, 11, 0}}}};
  example.targets = {{4, 8, 0.5f, 3}, {11, 15, 1, 3}, {15, 19, 1, 14}};
  example.promotions = {
      {std::vector<float>(static_cast<size_t>(GateFeatures::kCount), feature), 9, effect}};
  return example;
}

// The same session without the promotion.
inline Example without_promotion(Example example) {
  example.runs.back().sees = {{0, 4}, {11, 15}};
  example.runs.back().brought.clear();
  example.promotions.clear();
  return example;
}

}  // namespace polyphon
