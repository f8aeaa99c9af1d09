/* Input 0 is the size, a u32; the result is the checksum, a u64. */
#include "kernel.h"

VC_ENTRY int32_t program(void) {
  vc_bytes input;
  int32_t code = vc_read_input(0, &input);
  if (code != VC_SUCCESS) return code;
  vc_reader reader = vc_reader_of(input);
  uint32_t size = vc_read_u32(&reader);
  if (!vc_reader_done(&reader)) return VC_BAD_INPUT;
  uint64_t checksum = 0;
  code = kernel(size, &checksum);
  return code != VC_SUCCESS ? code : vc_write_output(&checksum, sizeof checksum);
}
