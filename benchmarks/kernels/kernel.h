/* What every kernel is: work of a given size that ends in a checksum. */
#ifndef KERNEL_H
#define KERNEL_H

#include <veracruz.h>

/* Sets the checksum and returns a code of `vc_code`; the same work every time. */
int32_t kernel(uint32_t size, uint64_t *checksum);

/* The next number of a fixed sequence (xorshift64*). */
static inline uint64_t next_random(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * UINT64_C(2685821657736338717);
}

/* The sum so far with another word. */
static inline uint64_t mixed(uint64_t sum, uint64_t word) {
  return (sum ^ word) * UINT64_C(1099511628211);
}

#endif
