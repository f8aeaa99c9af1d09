/* A host for one example program that is built natively, as a library: what the engine is to the
 * module. It gives the inputs and takes the result; there are no streams and no random numbers. */
#include <stdlib.h>
#include <veracruz.h>

int32_t program(void);

typedef struct host_state {
  const uint8_t *const *inputs;
  const uint32_t *sizes;
  uint32_t count;
  uint8_t *output;
  uint32_t output_size;
} host_state;

static host_state state;

int32_t vc_hcall_input_count(uint32_t *count) {
  *count = state.count;
  return VC_STATUS_SUCCESS;
}

int32_t vc_hcall_input_size(uint32_t index, uint32_t *size) {
  if (index >= state.count) return VC_STATUS_BAD_INPUT;
  *size = state.sizes[index];
  return VC_STATUS_SUCCESS;
}

int32_t vc_hcall_read_input(uint32_t index, void *buffer, uint32_t size) {
  if (index >= state.count) return VC_STATUS_BAD_INPUT;
  if (size < state.sizes[index]) return VC_STATUS_DATA_SOURCE_SIZE;
  memcpy(buffer, state.inputs[index], state.sizes[index]);
  return VC_STATUS_SUCCESS;
}

int32_t vc_hcall_write_output(const void *buffer, uint32_t size) {
  if (state.output != NULL) return VC_STATUS_RESULT_ALREADY_WRITTEN;
  state.output = malloc((size_t)size + 1);
  if (state.output == NULL) return VC_STATUS_GENERIC;
  memcpy(state.output, buffer, size);
  state.output_size = size;
  return VC_STATUS_SUCCESS;
}

#define NOT_HERE(name, parameters) \
  int32_t vc_hcall_##name parameters { return VC_STATUS_SERVICE_UNAVAILABLE; }

NOT_HERE(getrandom, (void *buffer, uint32_t size))
NOT_HERE(read_previous_result, (void *buffer, uint32_t size))
NOT_HERE(previous_result_size, (uint32_t *size))
NOT_HERE(has_previous_result, (uint32_t *present))
NOT_HERE(stream_count, (uint32_t *count))
NOT_HERE(stream_size, (uint32_t index, uint32_t *size))
NOT_HERE(read_stream, (uint32_t index, void *buffer, uint32_t size))

/* Runs the program; its code. The result is there until the next run. */
int32_t host_run(uint32_t count, const uint8_t *const *inputs, const uint32_t *sizes) {
  free(state.output);
  state = (host_state){inputs, sizes, count, NULL, 0};
  return program();
}

const uint8_t *host_output(uint32_t *size) {
  *size = state.output_size;
  return state.output;
}
