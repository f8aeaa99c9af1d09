/* Descriptors, and what is read, written and asked of them. */
#include "adapter.h"

enum { UNKNOWN_TYPE = 0, DIRECTORY_TYPE = 3, REGULAR_TYPE = 4 };
enum { APPEND = 1, ALL_FLAGS = 31, DIR_NAME_BYTES = 1 };
enum { FROM_START, FROM_HERE, FROM_END };
/* Rights: what only files have, and all there are. */
static const u64 READ = 1 << 1, SEEK = 1 << 2 | 1 << 5, WRITE = 1 << 6 | 1 << 8 | 1 << 22,
                 STAT = 1 << 21, ALL = (1 << 30) - 1;

file *open_file(u32 descriptor) {
  if (descriptor >= FILES) return NULL;
  file *it = &own()->files[descriptor];
  return it->node == CLOSED ? NULL : it;
}

static bool is_folder(u32 node) { return node >= ROOT && node <= STREAMS; }

static bool is_result(u32 node) {
  return node == OUTPUT || (node == STDOUT && !own()->output_made);
}

u64 size_of(u32 node) {
  state *mine = own();
  if (is_result(node)) return mine->result_size;
  return node >= SOURCE ? mine->sources[node - SOURCE].size : 0;
}

u8 type_of(u32 node) {
  if (is_folder(node)) return DIRECTORY_TYPE;
  return node == STDERR ? UNKNOWN_TYPE : REGULAR_TYPE;
}

/* ---- Reading and writing --------------------------------------------------------------------- */

static bool vectors_inside(u32 vectors, u32 count) {
  if (!inside(vectors, 8 * (u64)count)) return false;
  for (u32 each = 0; each < count; each++)
    if (!inside(get32(vectors + 8 * each), get32(vectors + 8 * each + 4))) return false;
  return true;
}

/* Where a file's bytes are, which are there: of a source it was loaded. */
static u32 content_at(u32 node) {
  return is_result(node) ? own()->result_at : own()->sources[node - SOURCE].at;
}

static u32 read_at(u32 node, u64 position, u32 vectors, u32 count, u32 done_to) {
  if (!vectors_inside(vectors, count) || !inside(done_to, 4)) return FAULT;
  u64 size = size_of(node);
  if (node >= SOURCE && size > 0) {
    u32 error = source_load(node - SOURCE);
    if (error != SUCCESS) return error;
  }
  u32 done = 0;
  for (u32 each = 0; each < count && position + done < size; each++) {
    u32 room = get32(vectors + 8 * each + 4);
    u64 left = size - position - done;
    u32 piece = room < left ? room : (u32)left;
    __builtin_memmove(bytes_at(get32(vectors + 8 * each)),
                      arena(content_at(node) + (u32)position + done), piece);
    done += piece;
  }
  put32(done_to, done);
  return SUCCESS;
}

static u32 write_at(u32 node, u64 position, u32 vectors, u32 count, u32 done_to) {
  if (!vectors_inside(vectors, count) || !inside(done_to, 4)) return FAULT;
  u64 total = 0;
  for (u32 each = 0; each < count; each++) total += get32(vectors + 8 * each + 4);
  if (total > UINT32_MAX) return INVAL;
  u32 done = 0;
  for (u32 each = 0; each < count; each++) {
    const u8 *from = bytes_at(get32(vectors + 8 * each));
    u32 size = get32(vectors + 8 * each + 4);
    if (is_result(node)) {
      u32 error = result_write(position + done, from, size);
      if (error != SUCCESS && done == 0) return error;
      if (error != SUCCESS) break; /* the next call says what is wrong */
    } else {
      say(from, size);
    }
    done += size;
  }
  put32(done_to, done);
  return SUCCESS;
}

WASI(fd_read)(u32 descriptor, u32 vectors, u32 count, u32 done_to) {
  file *it = open_file(descriptor);
  if (it == NULL || !it->reads) return BADF;
  u32 error = read_at(it->node, it->position, vectors, count, done_to);
  if (error == SUCCESS) it->position += get32(done_to);
  return error;
}

WASI(fd_pread)(u32 descriptor, u32 vectors, u32 count, u64 position, u32 done_to) {
  file *it = open_file(descriptor);
  if (it == NULL || !it->reads) return BADF;
  return read_at(it->node, position, vectors, count, done_to);
}

WASI(fd_write)(u32 descriptor, u32 vectors, u32 count, u32 done_to) {
  file *it = open_file(descriptor);
  if (it == NULL || !it->writes) return BADF;
  u64 position = it->flags & APPEND ? size_of(it->node) : it->position;
  u32 error = write_at(it->node, position, vectors, count, done_to);
  if (error == SUCCESS && is_result(it->node)) it->position = position + get32(done_to);
  return error;
}

WASI(fd_pwrite)(u32 descriptor, u32 vectors, u32 count, u64 position, u32 done_to) {
  file *it = open_file(descriptor);
  if (it == NULL || !it->writes) return BADF;
  if (!is_result(it->node)) return SPIPE;
  return write_at(it->node, position, vectors, count, done_to);
}

WASI(fd_seek)(u32 descriptor, i64 offset, u32 whence, u32 to) {
  file *it = open_file(descriptor);
  if (it == NULL || is_folder(it->node)) return BADF;
  if (it->node == STDERR) return SPIPE;
  if (whence > FROM_END) return INVAL;
  if (!inside(to, 8)) return FAULT;
  u64 from = whence == FROM_START ? 0 : whence == FROM_HERE ? it->position : size_of(it->node);
  i64 position;
  if (__builtin_add_overflow((i64)from, offset, &position) || position < 0) return INVAL;
  it->position = (u64)position;
  put64(to, it->position);
  return SUCCESS;
}

WASI(fd_tell)(u32 descriptor, u32 to) {
  file *it = open_file(descriptor);
  if (it == NULL || is_folder(it->node)) return BADF;
  if (it->node == STDERR) return SPIPE;
  if (!inside(to, 8)) return FAULT;
  put64(to, it->position);
  return SUCCESS;
}

/* ---- What is known and set ------------------------------------------------------------------- */

WASI(fd_close)(u32 descriptor) {
  file *it = open_file(descriptor);
  if (it == NULL) return BADF;
  it->node = CLOSED;
  return SUCCESS;
}

WASI(fd_renumber)(u32 from, u32 to) {
  file *it = open_file(from), *other = open_file(to);
  if (it == NULL || other == NULL) return BADF;
  if (it == other) return SUCCESS;
  __builtin_memcpy(other, it, sizeof *it);
  it->node = CLOSED;
  return SUCCESS;
}

WASI(fd_fdstat_get)(u32 descriptor, u32 to) {
  file *it = open_file(descriptor);
  if (it == NULL) return BADF;
  if (!inside(to, 24)) return FAULT;
  bool folder = is_folder(it->node);
  u64 rights = STAT | (it->reads ? READ : 0) | (it->writes ? WRITE : 0);
  if (it->node != STDERR) rights |= SEEK;
  put64(to, type_of(it->node) | (u64)it->flags << 16);
  put64(to + 8, folder ? ALL : rights);
  put64(to + 16, folder ? ALL : 0);
  return SUCCESS;
}

WASI(fd_fdstat_set_flags)(u32 descriptor, u32 flags) {
  file *it = open_file(descriptor);
  if (it == NULL) return BADF;
  if (flags & ~(u32)ALL_FLAGS) return INVAL;
  it->flags = (u16)flags;
  return SUCCESS;
}

WASI(fd_fdstat_set_rights)(u32 descriptor, u64 base, u64 inheriting) {
  (void)base, (void)inheriting; /* there is nothing to be gained by having fewer */
  return open_file(descriptor) == NULL ? BADF : SUCCESS;
}

static u32 put_status(u32 node, u32 to) {
  if (!inside(to, 64)) return FAULT;
  put64(to, 1); /* device, number, type, links, size, three times */
  put64(to + 8, (u64)node + 1);
  put64(to + 16, type_of(node));
  put64(to + 24, 1);
  put64(to + 32, size_of(node));
  put64(to + 40, link_clock_begin());
  put64(to + 48, link_clock_begin());
  put64(to + 56, link_clock_begin());
  return SUCCESS;
}

WASI(fd_filestat_get)(u32 descriptor, u32 to) {
  file *it = open_file(descriptor);
  return it == NULL ? BADF : put_status(it->node, to);
}

WASI(path_filestat_get)(u32 descriptor, u32 flags, u32 path, u32 size, u32 to) {
  (void)flags;
  found it = find(descriptor, path, size);
  if (errno_of(it) != SUCCESS) return errno_of(it);
  return is_missing(it) ? NOENT : put_status(node_of(it), to);
}

WASI(fd_filestat_set_size)(u32 descriptor, u64 size) {
  file *it = open_file(descriptor);
  if (it == NULL || !it->writes) return BADF;
  return is_result(it->node) ? result_resize(size) : INVAL;
}

WASI(fd_allocate)(u32 descriptor, u64 offset, u64 size) {
  file *it = open_file(descriptor);
  if (it == NULL || !it->writes) return BADF;
  if (!is_result(it->node)) return SPIPE;
  if (offset > UINT32_MAX || size > UINT32_MAX) return FBIG;
  return offset + size <= size_of(it->node) ? SUCCESS : result_resize(offset + size);
}

/* ---- Opening --------------------------------------------------------------------------------- */

enum { CREATE = 1, DIRECTORY = 2, EXCLUSIVE = 4, TRUNCATE = 8 };

static u32 openable(found it, u32 how, bool writes) {
  u32 node = node_of(it);
  if (errno_of(it) != SUCCESS) return errno_of(it);
  if (is_missing(it)) {
    if (!(how & CREATE)) return NOENT;
    return node == OUTPUT && !(how & DIRECTORY) ? SUCCESS : ROFS;
  }
  if ((how & CREATE) && (how & EXCLUSIVE)) return EXIST;
  if (is_folder(node)) return how & (CREATE | TRUNCATE) ? ISDIR : SUCCESS;
  if (how & DIRECTORY) return NOTDIR;
  return node != OUTPUT && (writes || (how & TRUNCATE)) ? ROFS : SUCCESS;
}

WASI(path_open)(u32 descriptor, u32 lookup, u32 path, u32 size, u32 how, u64 rights,
                u64 inheriting, u32 flags, u32 to) {
  (void)lookup, (void)inheriting;
  found it = find(descriptor, path, size);
  bool writes = (rights & (u64)1 << 6) != 0;
  u32 error = openable(it, how, writes);
  if (error != SUCCESS) return error;
  if (flags & ~(u32)ALL_FLAGS) return INVAL;
  if (!inside(to, 4)) return FAULT;
  u32 free = 3;
  while (free < FILES && own()->files[free].node != CLOSED) free++;
  if (free == FILES) return MFILE;
  u32 node = node_of(it);
  if (node == OUTPUT) {
    result_make_output();
    if (how & TRUNCATE) result_resize(0);
  }
  file *made = &own()->files[free];
  made->node = node;
  made->writes = node == OUTPUT && writes;
  made->reads = !is_folder(node) && (rights & READ) != 0;
  made->flags = (u16)flags;
  made->position = 0;
  put32(to, free);
  return SUCCESS;
}
