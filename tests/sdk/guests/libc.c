/* What a libc is for, in its tests: the first byte of input 0 says what to do, input 1 is text. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <veracruz.h>

static int by_value(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

/* The numbers in the text, sorted, each with its logarithm, as text. */
static int32_t numbers(const char *text) {
  double found[64];
  size_t count = 0;
  for (char *end; count < 64; text = end, count++) {
    found[count] = strtod(text, &end);
    if (end == text) break;
  }
  qsort(found, count, sizeof found[0], by_value);
  char *out = malloc(64 * count + 1);
  size_t size = 0;
  for (size_t i = 0; i < count; i++) {
    size += (size_t)snprintf(out + size, 64, "%.17g %.3f\n", found[i], log1p(found[i]));
  }
  return vc_write_output(out, size);
}

/* Seen by nobody but the compiler, which else knows that what was never used need not be had. */
static void *volatile seen;

/* Far more than the memory there is, in all, each piece given back; and vc_alloc in between. */
static int32_t give_back(void) {
  uint8_t *kept = vc_alloc(1000);
  for (size_t i = 0; i < 1000; i++) {
    uint8_t *piece = malloc(1u << 20);
    if (piece == NULL) return VC_GENERIC;
    memset(piece, 255, 1u << 20);
    seen = piece;
    free(piece);
  }
  for (size_t i = 0; i < 1000; i++) {
    if (kept[i] != 0) return VC_INVARIANT_FAILED;
  }
  seen = malloc(1u << 30);
  return seen == NULL ? VC_SUCCESS : VC_INVARIANT_FAILED;
}

/* Nothing of a machine is to be seen: no input, files, clock or environment; printing is lost. */
static int32_t outside(void) {
  if (printf("%s %d\n", "lost", 1) != 7 || fflush(stdout) != 0) return 1;
  if (fprintf(stderr, "lost too\n") != 9) return 2;
  if (getchar() != EOF) return 3;
  if (getenv("HOME") != NULL) return 4;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) == 0) return 6;
  return VC_SUCCESS;
}

VC_ENTRY int32_t program(void) {
  vc_bytes what, input = {0};
  int32_t code = vc_read_input(0, &what);
  if (code == VC_SUCCESS && vc_input_count() > 1) code = vc_read_input(1, &input);
  if (code != VC_SUCCESS || what.size != 1) return VC_BAD_INPUT;
  switch (what.data[0]) {
    case 'n': return numbers((const char *)input.data);
    case 'g': return give_back();
    case 'o': return outside();
    case 'e': exit(0);
    case 'a': assert(what.size == 2); return VC_SUCCESS;
    default: return VC_NOT_IMPLEMENTED;
  }
}
