/* The sum of all inputs, each a Vec<u64>; the result is a u64. */
#include <veracruz.h>

VC_ENTRY int32_t program(void) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < vc_input_count(); i++) {
    vc_bytes input;
    int32_t code = vc_read_input(i, &input);
    if (code != VC_SUCCESS) return code;
    vc_reader numbers = vc_reader_of(input);
    size_t count = vc_read_count(&numbers, sizeof sum);
    for (size_t n = 0; n < count; n++) sum += vc_read_u64(&numbers);
    if (!vc_reader_done(&numbers)) return VC_BAD_INPUT;
  }
  vc_writer result = vc_writer_of(sizeof sum);
  vc_put_u64(&result, sum);
  return vc_write_result(&result);
}
