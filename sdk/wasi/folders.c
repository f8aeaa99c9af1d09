/* Folders: the one that is open at first, and what is in each. */
#include "adapter.h"

enum { ENTRY_BYTES = 24, ROOT_DESCRIPTOR = 3 };

WASI(fd_prestat_get)(u32 descriptor, u32 to) {
  file *it = open_file(descriptor);
  if (descriptor != ROOT_DESCRIPTOR || it == NULL) return BADF;
  if (!inside(to, 8)) return FAULT;
  put32(to, 0); /* a folder, whose name has one byte */
  put32(to + 4, 1);
  return SUCCESS;
}

WASI(fd_prestat_dir_name)(u32 descriptor, u32 to, u32 size) {
  file *it = open_file(descriptor);
  if (descriptor != ROOT_DESCRIPTOR || it == NULL) return BADF;
  if (size < 1) return INVAL;
  if (!inside(to, 1)) return FAULT;
  put8(to, '/');
  return SUCCESS;
}

/* The names in the root, in order, as numbers, of those that are there. */
static u32 root_entry(u64 place) {
  state *mine = own();
  if (place == 0) return INPUTS;
  if (place == 1) return STREAMS;
  if (place == 2 && mine->has_previous) return SOURCE + mine->inputs + mine->streams;
  return place == 2 + (u64)mine->has_previous && mine->output_made ? OUTPUT : CLOSED;
}

static u32 entry(u32 folder, u64 place) {
  state *mine = own();
  if (folder == ROOT) return root_entry(place);
  u32 count = folder == INPUTS ? mine->inputs : mine->streams;
  if (place >= count) return CLOSED;
  return SOURCE + (folder == INPUTS ? 0 : mine->inputs) + (u32)place;
}

/* Of eight characters at most, as one number. */
static u64 name_of(u32 folder, u32 node, u64 place) {
  if (folder == ROOT) {
    if (node == INPUTS) return 0x7475706e69;
    if (node == STREAMS) return 0x6d6165727473;
    return node == OUTPUT ? 0x74757074756f : 0x73756f6976657270;
  }
  u64 name = 0;
  do name = name << 8 | ('0' + place % 10);
  while ((place /= 10) != 0);
  return name;
}

static u32 name_size(u64 name) {
  u32 size = 0;
  while (size < 8 && name >> 8 * size != 0) size++;
  return size;
}

WASI(fd_readdir)(u32 descriptor, u32 to, u32 size, u64 place, u32 used_to) {
  file *it = open_file(descriptor);
  if (it == NULL) return BADF;
  if (it->node < ROOT || it->node > STREAMS) return NOTDIR;
  if (!inside(to, size) || !inside(used_to, 4)) return FAULT;
  u32 used = 0, node;
  for (; used < size && (node = entry(it->node, place)) != CLOSED; place++) {
    u64 name = name_of(it->node, node, place);
    u32 length = name_size(name);
    /* Byte by byte: the last entry is cut where the buffer ends, which tells that there is more. */
    for (u32 byte = 0; byte < ENTRY_BYTES + length && used < size; byte++, used++) {
      u64 part = name;
      if (byte < 8) part = place + 1;
      else if (byte < 16) part = (u64)node + 1;
      else if (byte < ENTRY_BYTES) part = length | (u64)type_of(node) << 32;
      put8(to + used, (u8)(part >> 8 * (byte & 7)));
    }
  }
  put32(used_to, used);
  return SUCCESS;
}
