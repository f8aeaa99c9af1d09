/* All of an operating system that SQLite gets: no file, no time, and the isolate's random bytes. */
#include <veracruz.h>

#include "sqlite3.h"

#define MAX_PATH_BYTES 64

static int no_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
  (void)vfs, (void)name, (void)flags, (void)out;
  file->pMethods = NULL;
  return SQLITE_CANTOPEN;
}

static int no_delete(sqlite3_vfs *vfs, const char *name, int sync) {
  (void)vfs, (void)name, (void)sync;
  return SQLITE_IOERR_DELETE;
}

static int no_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
  (void)vfs, (void)name, (void)flags;
  *out = 0;
  return SQLITE_OK;
}

static int no_path(sqlite3_vfs *vfs, const char *name, int size, char *out) {
  (void)vfs, (void)name;
  if (size > 0) out[0] = 0;
  return SQLITE_CANTOPEN;
}

static int random_bytes(sqlite3_vfs *vfs, int size, char *out) {
  (void)vfs;
  return vc_random(out, (size_t)size) == VC_SUCCESS ? size : 0;
}

static int no_sleep(sqlite3_vfs *vfs, int microseconds) {
  (void)vfs, (void)microseconds;
  return 0;
}

/* So that 'now' is null: the isolate has no clock that its parties trust. */
static int no_time(sqlite3_vfs *vfs, double *days) {
  (void)vfs, (void)days;
  return SQLITE_ERROR;
}

static int no_last_error(sqlite3_vfs *vfs, int size, char *out) {
  (void)vfs, (void)size, (void)out;
  return 0;
}

int sqlite3_os_init(void) {
  static sqlite3_vfs nothing = {
      .iVersion = 1,
      .szOsFile = sizeof(sqlite3_file),
      .mxPathname = MAX_PATH_BYTES,
      .zName = "nothing",
      .xOpen = no_file,
      .xDelete = no_delete,
      .xAccess = no_access,
      .xFullPathname = no_path,
      .xRandomness = random_bytes,
      .xSleep = no_sleep,
      .xCurrentTime = no_time,
      .xGetLastError = no_last_error,
  };
  return sqlite3_vfs_register(&nothing, 1);
}

int sqlite3_os_end(void) { return SQLITE_OK; }
