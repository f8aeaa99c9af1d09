/* What there is none of: names cannot be changed, and nothing is a link or a socket. */
#include "adapter.h"

static u32 on_open(u32 descriptor, u32 answer) {
  return open_file(descriptor) == NULL ? BADF : answer;
}

/* A path that leads nowhere is told as that, before anything else is. */
static u32 on_path(u32 descriptor, u32 path, u32 size, u32 answer) {
  found it = find(descriptor, path, size);
  if (errno_of(it) != SUCCESS) return errno_of(it);
  return is_missing(it) ? NOENT : answer;
}

static u32 on_new(u32 descriptor, u32 path, u32 size) {
  found it = find(descriptor, path, size);
  if (errno_of(it) != SUCCESS) return errno_of(it);
  return is_missing(it) ? ROFS : EXIST;
}

WASI(fd_advise)(u32 descriptor, u64 offset, u64 size, u32 advice) {
  (void)offset, (void)size, (void)advice;
  return on_open(descriptor, SUCCESS);
}

WASI(fd_datasync)(u32 descriptor) { return on_open(descriptor, SUCCESS); }

WASI(fd_sync)(u32 descriptor) { return on_open(descriptor, SUCCESS); }

WASI(fd_filestat_set_times)(u32 descriptor, u64 accessed, u64 modified, u32 flags) {
  (void)accessed, (void)modified, (void)flags;
  return on_open(descriptor, ROFS);
}

WASI(path_filestat_set_times)(u32 descriptor, u32 lookup, u32 path, u32 size, u64 accessed,
                              u64 modified, u32 flags) {
  (void)lookup, (void)accessed, (void)modified, (void)flags;
  return on_path(descriptor, path, size, ROFS);
}

WASI(path_create_directory)(u32 descriptor, u32 path, u32 size) {
  return on_new(descriptor, path, size);
}

WASI(path_link)(u32 descriptor, u32 lookup, u32 path, u32 size, u32 to, u32 new_path,
                u32 new_size) {
  (void)lookup;
  u32 error = on_path(descriptor, path, size, SUCCESS);
  return error != SUCCESS ? error : on_new(to, new_path, new_size);
}

WASI(path_readlink)(u32 descriptor, u32 path, u32 size, u32 buffer, u32 room, u32 used_to) {
  (void)buffer, (void)room, (void)used_to;
  return on_path(descriptor, path, size, INVAL);
}

WASI(path_remove_directory)(u32 descriptor, u32 path, u32 size) {
  return on_path(descriptor, path, size, ROFS);
}

WASI(path_rename)(u32 descriptor, u32 path, u32 size, u32 to, u32 new_path, u32 new_size) {
  u32 error = on_path(descriptor, path, size, SUCCESS);
  if (error != SUCCESS) return error;
  found it = find(to, new_path, new_size);
  return errno_of(it) != SUCCESS ? errno_of(it) : ROFS;
}

WASI(path_symlink)(u32 path, u32 size, u32 descriptor, u32 new_path, u32 new_size) {
  if (!inside(path, size)) return FAULT;
  return on_new(descriptor, new_path, new_size);
}

WASI(path_unlink_file)(u32 descriptor, u32 path, u32 size) {
  return on_path(descriptor, path, size, ROFS);
}

WASI(sock_accept)(u32 descriptor, u32 flags, u32 to) {
  (void)flags, (void)to;
  return on_open(descriptor, NOTSOCK);
}

WASI(sock_recv)(u32 descriptor, u32 vectors, u32 count, u32 flags, u32 size_to, u32 flags_to) {
  (void)vectors, (void)count, (void)flags, (void)size_to, (void)flags_to;
  return on_open(descriptor, NOTSOCK);
}

WASI(sock_send)(u32 descriptor, u32 vectors, u32 count, u32 flags, u32 size_to) {
  (void)vectors, (void)count, (void)flags, (void)size_to;
  return on_open(descriptor, NOTSOCK);
}

WASI(sock_shutdown)(u32 descriptor, u32 how) {
  (void)how;
  return on_open(descriptor, NOTSOCK);
}
