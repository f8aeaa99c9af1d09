/* A walk in random order over `size` words, and passes from end to end: waits for memory. */
#include "kernel.h"

#define PASSES 4

/* Each word the place of the next, so that all lie on one ring (Sattolo's shuffle). */
static void make_ring(uint32_t *words, uint32_t size) {
  uint64_t state = 7;
  for (uint32_t i = 0; i < size; i++) words[i] = i;
  for (uint32_t i = size - 1; i > 0; i--) {
    uint32_t other = (uint32_t)((next_random(&state) >> 32) % i);
    uint32_t word = words[i];
    words[i] = words[other];
    words[other] = word;
  }
}

int32_t kernel(uint32_t size, uint64_t *checksum) {
  uint32_t *words = vc_alloc_array(size, sizeof(uint32_t));
  if (words == NULL || size == 0) return VC_GENERIC;
  make_ring(words, size);
  uint32_t at = 0;
  for (uint32_t i = 0; i < size; i++) {
    at = words[at];
    *checksum += (uint64_t)at * i;
  }
  for (uint32_t pass = 1; pass <= PASSES; pass++) {
    for (uint32_t i = 0; i < size; i++) words[i] += pass;
  }
  for (uint32_t i = 0; i < size; i++) *checksum += words[i];
  return VC_SUCCESS;
}
