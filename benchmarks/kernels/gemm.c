/* The product of two square matrices of f64 with `size` rows: floating point in nested loops. */
#include "kernel.h"

static double *random_matrix(uint32_t size, uint64_t *state) {
  double *matrix = vc_alloc_array((size_t)size * size, sizeof(double));
  if (matrix == NULL) return NULL;
  for (size_t i = 0; i < (size_t)size * size; i++) {
    matrix[i] = (double)(next_random(state) >> 40) / 16777216.0 - 0.5;
  }
  return matrix;
}

int32_t kernel(uint32_t size, uint64_t *checksum) {
  uint64_t state = 1;
  double *a = random_matrix(size, &state);
  double *b = random_matrix(size, &state);
  double *c = vc_alloc_array((size_t)size * size, sizeof(double));
  if (a == NULL || b == NULL || c == NULL) return VC_GENERIC;
  for (size_t i = 0; i < size; i++) {
    for (size_t k = 0; k < size; k++) {
      double factor = a[i * size + k];
      for (size_t j = 0; j < size; j++) c[i * size + j] += factor * b[k * size + j];
    }
  }
  for (size_t i = 0; i < (size_t)size * size; i++) {
    uint64_t bits;
    memcpy(&bits, &c[i], sizeof bits);
    *checksum = mixed(*checksum, bits);
  }
  return VC_SUCCESS;
}
