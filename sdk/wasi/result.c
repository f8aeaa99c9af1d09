/* The result: what goes to `/output` if the program makes that, else to standard output.
 *
 * It is the last thing in the arena, so that it grows in place by growing the memory. */
#include "adapter.h"

enum { ALREADY_WRITTEN = -6 };

void result_begin(u32 at) { own()->result_at = (at + 15) & ~15u; }

u32 result_resize(u64 size) {
  state *mine = own();
  if (size > UINT32_MAX) return FBIG;
  if (!arena_reaches(mine->result_at + size)) return NOSPC;
  if (size > mine->result_size)
    __builtin_memset(arena(mine->result_at + mine->result_size), 0, (u32)size - mine->result_size);
  mine->result_size = (u32)size;
  return SUCCESS;
}

u32 result_write(u64 position, const u8 *from, u32 size) {
  state *mine = own();
  if (size == 0) return SUCCESS;
  if (position > UINT32_MAX || position + size > UINT32_MAX) return FBIG;
  u32 end = (u32)position + size;
  if (!arena_reaches((u64)mine->result_at + end)) return NOSPC;
  if (position > mine->result_size)
    __builtin_memset(arena(mine->result_at + mine->result_size), 0,
                     (u32)position - mine->result_size);
  __builtin_memmove(arena(mine->result_at + (u32)position), from, size);
  if (end > mine->result_size) mine->result_size = end;
  return SUCCESS;
}

bool result_move(u32 distance) {
  state *mine = own();
  u64 to = ((u64)mine->result_at + distance + 15) & ~(u64)15;
  if (!arena_reaches(to + mine->result_size)) return false;
  __builtin_memmove(arena((u32)to), arena(mine->result_at), mine->result_size);
  mine->result_at = (u32)to;
  return true;
}

/* What went to standard output until now was no result, then: it is said. */
void result_make_output(void) {
  state *mine = own();
  if (mine->output_made) return;
  say(arena(mine->result_at), mine->result_size);
  mine->result_size = 0;
  mine->output_made = true;
}

/* A program may have written its result by Veracruz's own call. Then what it printed is said, and
 * with two results nobody could tell which was meant. */
u32 result_finish(u32 code) {
  state *mine = own();
  if (code != 0) return code;
  u32 status = host_write_output(arena(mine->result_at), mine->result_size);
  if (status == (u32)ALREADY_WRITTEN && !mine->output_made) {
    say(arena(mine->result_at), mine->result_size);
    return 0;
  }
  return status;
}
