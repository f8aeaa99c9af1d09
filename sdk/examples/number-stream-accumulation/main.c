/* Number stream accumulation: a running sum over rounds.
 *
 * One input, the number to start from; in every round the first two streams add a number each; the
 * result is the sum so far, and the next round starts from it. All numbers are f64.
 */
#include <veracruz.h>

static int32_t decode_number(int32_t code, vc_bytes bytes, double *number) {
  if (code != VC_SUCCESS) return code;
  vc_reader reader = vc_reader_of(bytes);
  *number = vc_read_f64(&reader);
  return vc_reader_done(&reader) ? VC_SUCCESS : VC_BAD_INPUT;
}

static int32_t read_start(double *start) {
  vc_bytes bytes = {0};
  int32_t code = vc_has_previous_result() ? vc_read_previous_result(&bytes)
                                          : vc_read_input(0, &bytes);
  return decode_number(code, bytes, start);
}

static int32_t read_stream(uint32_t index, double *number) {
  vc_bytes bytes = {0};
  int32_t code = vc_read_stream(index, &bytes);
  return decode_number(code, bytes, number);
}

VC_ENTRY int32_t program(void) {
  if (vc_input_count() != 1 || vc_stream_count() < 2) return VC_DATA_SOURCE_COUNT;
  double start, first, second;
  int32_t code = read_start(&start);
  if (code == VC_SUCCESS) code = read_stream(0, &first);
  if (code == VC_SUCCESS) code = read_stream(1, &second);
  if (code != VC_SUCCESS) return code;

  vc_writer result = vc_writer_of(sizeof(double));
  vc_put_f64(&result, start + first + second);
  return vc_write_result(&result);
}
