/* The sum of all inputs, each a Vec<u64>; the result is a u64. With a libc: malloc, qsort, math.h
 * and their like are there; what the program prints goes nowhere. */
#include <stdlib.h>
#include <veracruz.h>

/* The numbers of an input, for the caller to free; NULL without memory, or if it does not decode. */
static uint64_t *read_numbers(vc_bytes input, size_t *count) {
  vc_reader reader = vc_reader_of(input);
  *count = vc_read_count(&reader, sizeof(uint64_t));
  uint64_t *numbers = calloc(*count + 1, sizeof *numbers);
  if (numbers == NULL) return NULL;
  for (size_t i = 0; i < *count; i++) numbers[i] = vc_read_u64(&reader);
  if (vc_reader_done(&reader)) return numbers;
  free(numbers);
  return NULL;
}

VC_ENTRY int32_t program(void) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < vc_input_count(); i++) {
    vc_bytes input;
    int32_t code = vc_read_input(i, &input);
    if (code != VC_SUCCESS) return code;
    size_t count;
    uint64_t *numbers = read_numbers(input, &count);
    if (numbers == NULL) return VC_BAD_INPUT;
    for (size_t n = 0; n < count; n++) sum += numbers[n];
    free(numbers);
  }
  vc_writer result = vc_writer_of(sizeof sum);
  vc_put_u64(&result, sum);
  return vc_write_result(&result);
}
