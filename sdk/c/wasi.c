/* What libc and libc++ ask of WASI, answered inside the module: a program has no files, no clock,
 * no arguments and no environment, and what it prints is said to its author, if it is built for that,
 * and goes nowhere otherwise. So it imports Veracruz's calls
 * and nothing else, and still builds when a library it uses has a `printf` in a corner.
 *
 * A call that is not here stays an import, and `tlaxcala check` names it.
 */
#include <veracruz.h>

enum wasi_errno { WASI_SUCCESS = 0, WASI_BAD_FILE = 8, WASI_IO = 29, WASI_NOT_SUPPORTED = 58 };

/* Each call has two names: as C declares it, and as the parts of libc in Zig do. */
#define WASI_CALL(name, parameters, arguments)                                             \
  int32_t __imported_wasi_snapshot_preview1_##name parameters;                             \
  int32_t vc_wasi_##name parameters __asm__(#name "|wasi_snapshot_preview1");              \
  int32_t vc_wasi_##name parameters { return __imported_wasi_snapshot_preview1_##name arguments; } \
  int32_t __imported_wasi_snapshot_preview1_##name parameters

typedef struct io_vector {
  const uint8_t *data;
  uint32_t size;
} io_vector;

/* All is taken. */
WASI_CALL(fd_write, (int32_t file, int32_t vectors, int32_t count, int32_t written),
          (file, vectors, count, written)) {
  (void)file;
  const io_vector *from = (const io_vector *)(uintptr_t)vectors;
  uint32_t total = 0;
  for (int32_t i = 0; i < count; i++) total += from[i].size;
#ifdef VERACRUZ_DEBUG
  for (int32_t i = 0; i < count; i++) vc_say((const char *)from[i].data, from[i].size);
#endif
  *(uint32_t *)(uintptr_t)written = total;
  return WASI_SUCCESS;
}

/* Standard input is at its end. */
WASI_CALL(fd_read, (int32_t file, int32_t vectors, int32_t count, int32_t taken),
          (file, vectors, count, taken)) {
  (void)file, (void)vectors, (void)count;
  *(uint32_t *)(uintptr_t)taken = 0;
  return WASI_SUCCESS;
}

WASI_CALL(fd_close, (int32_t file), (file)) {
  (void)file;
  return WASI_SUCCESS;
}

WASI_CALL(fd_seek, (int32_t file, int64_t offset, int32_t whence, int32_t position),
          (file, offset, whence, position)) {
  (void)file, (void)offset, (void)whence, (void)position;
  return WASI_BAD_FILE;
}

WASI_CALL(fd_fdstat_get, (int32_t file, int32_t status), (file, status)) {
  (void)file, (void)status;
  return WASI_BAD_FILE;
}

WASI_CALL(clock_time_get, (int32_t clock, int64_t precision, int32_t time), (clock, precision, time)) {
  (void)clock, (void)precision, (void)time;
  return WASI_NOT_SUPPORTED;
}

WASI_CALL(environ_sizes_get, (int32_t count, int32_t size), (count, size)) {
  *(uint32_t *)(uintptr_t)count = 0;
  *(uint32_t *)(uintptr_t)size = 0;
  return WASI_SUCCESS;
}

WASI_CALL(environ_get, (int32_t pointers, int32_t text), (pointers, text)) {
  (void)pointers, (void)text;
  return WASI_SUCCESS;
}

WASI_CALL(random_get, (int32_t buffer, int32_t size), (buffer, size)) {
  int32_t status = vc_hcall_getrandom((void *)(uintptr_t)buffer, (uint32_t)size);
  return status == VC_STATUS_SUCCESS ? WASI_SUCCESS : WASI_IO;
}

/* `exit` and `abort` end the computation as a trap does. */
_Noreturn void __imported_wasi_snapshot_preview1_proc_exit(int32_t code);
_Noreturn void vc_wasi_proc_exit(int32_t code) __asm__("proc_exit|wasi_snapshot_preview1");
_Noreturn void __imported_wasi_snapshot_preview1_proc_exit(int32_t code) {
  (void)code;
  __builtin_trap();
}
_Noreturn void vc_wasi_proc_exit(int32_t code) {
  __imported_wasi_snapshot_preview1_proc_exit(code);
}
