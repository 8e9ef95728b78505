// Sessions of a fake model that have registers and promotions.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/random.h"
#include "model/fake_language_model.h"
#include "sessions/reasoner.h"

namespace polyphon {

// Generates pseudo-random sentences of five bytes.
inline void babble(const FakeRow& row, std::span<float> logits) {
  uint64_t seen = 0;
  for (const Token token : row.visible) seen = mix_bits(seen + static_cast<uint64_t>(token));
  const auto next = row.visible.size() % 5 == 0 ? '.' : static_cast<Token>('a' + seen % 26);
  logits[static_cast<size_t>(next)] = 50;
  logits['z'] = 49;
}

inline std::unique_ptr<Reasoner> babbling_reasoner() {
  static const SteadyClock kClock;
  FakeDecoder::Options sizes;
  sizes.capacity_cells = 1 << 14;
  sizes.max_rows = 1024;
  auto model = std::make_unique<FakeLanguageModel>(sizes, babble);
  auto engine = std::make_unique<Engine>(model->make_fake_decoder(), EngineOptions{}, kClock);
  ReasonOptions options;
  options.agreement.enabled = options.collapse.enabled = false;
  return std::make_unique<Reasoner>(std::move(model), std::move(engine), options,
                                    Reasoner::Identity{"v1", "digest", "hash"});
}

// Three streams that two registers interrupt as often as allowed.
inline Trace promoting_session(Reasoner& reasoner, const std::string& question,
                               const SearchRequest& search = {}) {
  ThinkInput input;
  input.chat.messages = {{{"role", "user"}, {"content", question}}};
  input.topology = parse_topology("3x40");
  input.max_answer_tokens = 4;
  input.workspace.registers = 2;
  input.workspace.cadence_tokens = input.workspace.refractory_tokens = 8;
  input.workspace.gate_threshold = 0;
  input.search = search;
  SessionTicket ticket = reasoner.think(input, {});
  return *wait_finished(ticket).trace;
}

}  // namespace polyphon
