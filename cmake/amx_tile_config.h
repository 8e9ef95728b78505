// Force-included into ggml by scripts/llama.sh. GCC 12's _tile_loadconfig names 8 of the 64 bytes
// that LDTILECFG reads as its memory operand, so the compiler drops the stores to the other 56 and
// the instruction faults. Here the operand is all 64 bytes. Without AMX, or with another compiler,
// nothing is changed.
#pragma once
#if defined(__AMX_TILE__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#include <immintrin.h>
static inline void polyphon_tile_loadconfig(const void* config) {
  __asm__ volatile("ldtilecfg %0" ::"m"(*(const char(*)[64])config));
}
#undef _tile_loadconfig
#define _tile_loadconfig polyphon_tile_loadconfig
#endif
