#include "simd/mask_bits.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/mask_bits.cpp"
// foreach_target must come first.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace polyphon::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr uint16_t kNever = 0xFC00;  // -infinity
constexpr uint16_t kMagnitude = 0x7FFF;

bool scan_mask(const uint16_t* mask, size_t cells, uint64_t* bits) {
  const hn::ScalableTag<uint16_t> d;
  const size_t lanes = hn::Lanes(d);
  const auto never = hn::Set(d, kNever);
  const auto magnitude = hn::Set(d, kMagnitude);
  auto values = hn::Zero(d);
  auto* const bytes = reinterpret_cast<uint8_t*>(bits);
  size_t c = 0;
  // Lanes are whole bytes of bits from AVX2 on; narrower vectors go on below.
  if (lanes % 8 == 0) {
    for (; c + lanes <= cells; c += lanes) {
      const auto value = hn::LoadU(d, mask + c);
      const auto seen = hn::Ne(value, never);
      hn::StoreMaskBits(d, seen, bytes + c / 8);
      values = hn::Or(values, hn::IfThenElseZero(seen, hn::And(value, magnitude)));
    }
  }
  bool biased = !hn::AllTrue(d, hn::Eq(values, hn::Zero(d)));
  for (; c < cells; ++c) {
    if (mask[c] == kNever) continue;
    bits[c / 64] |= uint64_t{1} << (c % 64);
    biased |= (mask[c] & kMagnitude) != 0;
  }
  return biased;
}

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polyphon {

HWY_EXPORT(scan_mask);

bool mask_bits(const uint16_t* mask, size_t cells, uint64_t* bits) {
  return HWY_DYNAMIC_DISPATCH(scan_mask)(mask, cells, bits);
}

}  // namespace polyphon
#endif  // HWY_ONCE
