/* The arena, and the memory that the program sees below it. */
#include "adapter.h"

GLOBAL u32 arena_page;
/* What the program takes for all of its memory; pages from there to the arena are zero. */
static GLOBAL u32 program_pages;

static u32 pages(void) { return apart(program_pages); }

static u32 all_pages(void) { return __builtin_wasm_memory_size(0); }

static bool grow(u32 pages) { return __builtin_wasm_memory_grow(0, pages) != UINT32_MAX; }

bool arena_begin(void) {
  arena_page = program_pages = all_pages();
  return arena_reaches(sizeof(state));
}

bool arena_reaches(u64 end) {
  u64 have = (u64)(all_pages() - apart(arena_page)) * PAGE;
  if (end <= have) return true;
  u64 missing = (end - have + PAGE - 1) / PAGE;
  /* An eighth more, so that a result that grows asks for memory seldom, if there is so much. */
  u64 ahead = missing + have / PAGE / 8;
  return ahead <= PAGE && (grow((u32)ahead) || (ahead > missing && grow((u32)missing)));
}

bool inside(u32 start, u64 size) { return start + size <= (u64)pages() * PAGE; }

__attribute__((export_name("program_memory_size"))) u32 program_memory_size(void) {
  return pages();
}

/* As `memory.grow`: the pages there were, or -1. */
__attribute__((export_name("program_memory_grow"))) u32 program_memory_grow(u32 more) {
  u32 before = pages(), first = apart(arena_page);
  u64 wanted = (u64)before + more;
  if (wanted > link_most_pages()) return UINT32_MAX;
  if (wanted > first) {
    u32 owned = all_pages() - first, missing = (u32)wanted - first;
    /* The arena moves by a quarter of itself at least, if there is so much memory: what it costs to
     * move it is then in proportion to how far the program grows. */
    u32 up = missing > owned / 4 ? missing : owned / 4;
    if (!grow(up)) {
      up = missing;
      if (!grow(up)) return UINT32_MAX;
    }
    u8 *from = arena(0);
    __builtin_memmove(from + up * PAGE, from, own()->result_at + own()->result_size);
    __builtin_memset(from, 0, (up < owned ? up : owned) * PAGE);
    arena_page = first + up;
    veracruz_message = apart(veracruz_message) + up * PAGE;
    own()->message_start += up * PAGE;
  }
  program_pages = (u32)wanted;
  return before;
}
