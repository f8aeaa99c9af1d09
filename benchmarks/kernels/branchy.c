/* A small virtual machine that takes `size` steps of a random program: branches nobody foresees. */
#include "kernel.h"

#define INSTRUCTIONS 4096

int32_t kernel(uint32_t size, uint64_t *checksum) {
  uint64_t state = 6;
  uint8_t *code = vc_alloc(INSTRUCTIONS);
  if (code == NULL) return VC_GENERIC;
  for (size_t i = 0; i < INSTRUCTIONS; i++) code[i] = (uint8_t)(next_random(&state) >> 56);
  uint32_t a = 1, b = 2, at = 0;
  for (uint32_t i = 0; i < size; i++) {
    if (i % 256 == 0) a ^= (uint32_t)next_random(&state); /* out of any endless loop */
    uint8_t instruction = code[at];
    at = (at + 1) % INSTRUCTIONS;
    switch (instruction % 12) {
      case 0: a += b; break;
      case 1: b ^= a; break;
      case 2: a = a << 7 | a >> 25; break;
      case 3: b -= instruction; break;
      case 4: if (a & 1) b += 77; break;
      case 5: if (b > a) at = (at + instruction) % INSTRUCTIONS; break;
      case 6: a *= 2654435761u; break;
      case 7: b = b >> 3 | b << 29; break;
      case 8: if ((a ^ b) & 4) at = a % INSTRUCTIONS; break;
      case 9: a ^= i; break;
      case 10: a = a > b ? a - b : b - a; break;
      default: b += a & instruction; break;
    }
  }
  *checksum = (uint64_t)a << 32 | b;
  return VC_SUCCESS;
}
